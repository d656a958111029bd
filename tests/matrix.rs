//! The matrix: what the README shows is what the command prints, and what it rests on.

use std::process::Command;

use midput_model::program::QueueKind;
use midput_scenarios::builtin;
use midput_sim::matrix::{Cell, Cells, Class, MatrixOptions, matrix};

/// The status of the command and what it printed.
fn midput(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_midput"));
    let output = command.args(arguments).env("NO_COLOR", "1").output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_readme_shows_the_matrix_as_printed() {
    let readme = include_str!("../README.md");
    let block = readme.split("$ cargo run --release -- matrix\n").nth(1).unwrap();
    let shown = block.split("```").next().unwrap();
    let (status, printed) = midput(&["matrix"]);
    assert_eq!(status, Some(0), "{printed}");
    assert!(shown == printed, "the README must show:\n{printed}");
}

#[test]
fn every_scenario_of_a_class_is_built_in_and_has_queues_of_that_class() {
    let scenarios = builtin();
    let kinds = [
        QueueKind::Queue,
        QueueKind::Joinable,
        QueueKind::Simple,
        QueueKind::Pipe,
        QueueKind::ManagerClassic,
        QueueKind::Manager,
    ];
    assert_eq!(Class::ALL.len(), kinds.len());
    for (class, kind) in Class::ALL.iter().zip(kinds) {
        for name in class.scenarios {
            let scenario = scenarios.iter().find(|it| it.name == *name);
            let scenario = scenario.unwrap_or_else(|| panic!("no scenario {name}"));
            assert!(scenario.program.queues.iter().all(|queue| queue.kind == kind), "{name}");
            assert_eq!(scenario.subject(), class.subject, "{name}");
        }
    }
}

#[test]
fn too_few_states_leave_it_undecided_and_say_so() {
    let options = MatrixOptions { states_max: 20, cases: 1 };
    let simple = &Class::ALL[2];
    let rows = matrix(simple, false, options);
    assert!(matches!(rows[0].1.model, Cell::Undecided(_)), "{:?}", rows[0]);
    assert_eq!(rows[0].1.sim, Cell::Holds(4), "one case of each scenario");
    assert_eq!(rows[9].1, Cells { model: Cell::NotJudged, sim: Cell::NotJudged });
    let (status, printed) = midput(&["matrix", "--states", "20", "--cases", "1"]);
    assert_eq!(status, Some(3), "{printed}");
    assert!(printed.contains("states_max = 20 was reached"), "{printed}");
}
