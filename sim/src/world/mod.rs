//! provisional
pub mod native {
    //! provisional
    /// x
    #[derive(Clone, Debug)]
    pub struct NativeOptions { /// x
        pub executable: std::path::PathBuf, /// x
        pub hang_after: std::time::Duration, /// x
        pub deadline: std::time::Duration }
    impl NativeOptions { /// x
        pub fn new(executable: std::path::PathBuf) -> Self { Self { executable, hang_after: std::time::Duration::from_millis(20), deadline: std::time::Duration::from_secs(10) } } }
}
