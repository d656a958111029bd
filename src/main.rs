//! The command.
fn main() {
    if midput_sim::world::native::is_subject() {
        midput_sim::world::native::subject_main();
    }
}
