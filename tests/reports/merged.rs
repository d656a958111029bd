//! Shards, and the report of the whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{midput, root, text, with_forbidden_harm};
use crate::{Spoil, check, number, timeless};

/// The reports of `of` shards of a check, in files.
struct Shards {
    files: TempDir,
    of: u64,
}

impl Shards {
    fn of(folder: &Path, of: u64, arguments: &[&str]) -> Self {
        let shards = Self { files: tempfile::tempdir().unwrap(), of };
        for number in 1..=of {
            let (shard, file) = (format!("{number}/{of}"), shards.file(number));
            let options = ["--shard", &shard, "--report", &file];
            midput(folder, &[&["check"], arguments, &options].concat());
        }
        shards
    }

    fn file(&self, number: u64) -> String {
        self.files.path().join(format!("{number}.json")).display().to_string()
    }

    fn read(&self, number: u64) -> Value {
        serde_json::from_str(&fs::read_to_string(self.file(number)).unwrap()).unwrap()
    }

    fn write(&self, number: u64, report: &Value) {
        fs::write(self.file(number), report.to_string()).unwrap();
    }

    /// Merges these shards, and returns the report, what was printed, and the exit status.
    fn merge(
        &self,
        folder: &Path,
        numbers: impl IntoIterator<Item = u64>,
    ) -> (Option<Value>, String, i32) {
        let merged = self.files.path().join("merged.json").display().to_string();
        let _ = fs::remove_file(&merged);
        let files: Vec<String> = numbers.into_iter().map(|number| self.file(number)).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let output = midput(folder, &[&["merge"], &files[..], &["--report", &merged]].concat());
        let report = fs::read_to_string(merged).ok();
        let report = report.map(|text| serde_json::from_str(&text).unwrap());
        let told = text(&output.stdout) + &text(&output.stderr);
        (report, told, output.status.code().unwrap())
    }

    fn refusal(&self, numbers: impl IntoIterator<Item = u64>) -> String {
        let (report, told, status) = self.merge(root(), numbers);
        assert_eq!((report, status), (None, 2), "{told}");
        told
    }
}

const PUT: &str = "kill-mid-put/small-one-producer";

#[test]
fn merged_shards_are_equal_to_a_check_without_shards() {
    let harm = with_forbidden_harm();
    let (part, whole) = (&["kill-mid-put", "kill-mid-get", "canary"][..], &["--max-fail", "0"][..]);
    let arguments = |cases| [whole, &["--world", "sim", "--cases", cases]].concat();
    for (folder, arguments, of) in [
        (root(), [part, &arguments("200")].concat(), 3),
        (harm.path(), arguments("100"), 4),
        // There are more shards than cases.
        (root(), [part, &arguments("5")].concat(), 7),
    ] {
        let shards = Shards::of(folder, of, &arguments);
        // Cases that shards have kept meanwhile are none of theirs.
        let kept = folder.join("scenarios/mine/cases");
        let _ = fs::remove_dir_all(&kept);
        let (whole, status) = check(folder, &arguments);
        let _ = fs::remove_dir_all(&kept);
        let (merged, told, merged_status) = shards.merge(folder, (1..=of).rev());
        assert_eq!(merged_status, status, "{told}");
        let merged = merged.unwrap();
        let times = merged["times"].as_array().unwrap();
        assert_eq!(times.len() as u64, of);
        assert!(timeless(merged) == timeless(whole), "{told}");
        let saved = walk(&kept).len();
        assert_eq!(saved > 0, folder == harm.path(), "merge saves what failed");
    }
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// What a shard prints of the whole is the summary of a check, with the failures before it.
#[test]
fn merge_prints_what_check_prints() {
    let folder = with_forbidden_harm();
    let arguments = ["--world", "sim", "--cases", "64", "--max-fail", "0"];
    let shards = Shards::of(folder.path(), 2, &arguments);
    let _ = fs::remove_dir_all(folder.path().join("scenarios/mine/cases"));
    let whole = [&["check", "--no-shrink"], &arguments[..]].concat();
    let whole = midput(folder.path(), &whole);
    let (_, told, status) = shards.merge(folder.path(), 1..=2);
    assert_eq!((status, whole.status.code()), (1, Some(1)));
    let lines = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("planned"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&told), lines(&text(&whole.stdout)));
}

/// One goal is reached by one case of 31 only: a shard is not asked for it, the whole is.
#[test]
fn goals_are_asked_of_the_whole_alone() {
    let folder = tempfile::tempdir().unwrap();
    let group = folder.path().join("scenarios/mine");
    fs::create_dir_all(&group).unwrap();
    let scenario = |goal: &str| {
        format!(
            "why = \"x\"\n[queue.q]\n[process.P0]\nmain = [\"put a 1B\", \"get timeout=10ms\"]\n\
             [reach]\nclassic = [\"result P0.main {goal}\"]\n"
        )
    };
    for (goal, status) in [("a", 0), ("Empty", 1)] {
        fs::write(group.join("goal.toml"), scenario(goal)).unwrap();
        let shards = Shards::of(folder.path(), 2, &["--world", "sim", "--cases", "8"]);
        assert_eq!(shards.read(1)["sweeps"][0]["verdict"]["is"], "pass");
        let (merged, told, found) = shards.merge(folder.path(), 1..=2);
        assert_eq!(found, status, "{told}");
        let verdict = merged.unwrap()["sweeps"][0]["verdict"].clone();
        assert_eq!(verdict["is"] == "fail", status == 1, "{verdict}");
    }
}

#[test]
fn missing_and_double_shards_are_named() {
    let shards = Shards::of(root(), 4, &[PUT, "--world", "sim", "--cases", "64"]);
    assert!(
        shards.refusal([1, 4]).contains("shards 2/4, 3/4 missing"),
        "{}",
        shards.refusal([1, 4])
    );
    let told = shards.refusal([2, 1, 4]);
    assert!(told.contains("shard 3/4 missing") && told.contains("run it"), "{told}");
    let told = shards.refusal([1, 2, 2, 3]);
    assert!(told.contains("shard 2/4") && told.contains(&shards.file(2)), "{told}");
    fs::remove_file(shards.file(3)).unwrap();
    let told = shards.refusal(1..=4);
    assert!(told.contains(&shards.file(3)) && told.contains("run its shard again"), "{told}");
}

#[test]
fn shards_of_different_checks_are_refused_by_name() {
    let base = [PUT, "--world", "sim", "--cases", "64"];
    let shards = Shards::of(root(), 2, &base);
    let file = shards.file(2);
    for (what, arguments) in [
        ("the seed", [&base[..], &["--seed", "7"]].concat()),
        ("'cases'", [PUT, "--world", "sim", "--cases", "65"].to_vec()),
        ("'twice'", [&base[..], &["--twice"]].concat()),
        ("'time'", [&base[..], &["--time", "any"]].concat()),
        ("'max_fail'", [&base[..], &["--max-fail", "9"]].concat()),
        ("'until_quiet'", [&base[..], &["--until-quiet", "9"]].concat()),
        ("'budget_ms'", [&base[..], &["--budget", "9m"]].concat()),
        ("the list of scenarios", [&base[..], &["no-fault/one-deadline"]].concat()),
        ("the number of shards", base.to_vec()),
    ] {
        let shard = if what.contains("number") { "2/3" } else { "2/2" };
        midput(
            root(),
            &[&["check"], &arguments[..], &["--shard", shard, "--report", &file]].concat(),
        );
        let told = shards.refusal(1..=2);
        assert!(told.contains(what) && told.contains(&file), "{what}: {told}");
    }
    // What no option makes different: other code, another program, another form.
    midput(root(), &[&["check"], &base[..], &["--shard", "2/2", "--report", &file]].concat());
    let good = shards.read(2);
    let spoil: [(&str, Spoil); 4] = [
        ("the program", |it| it["program"] = "midput 9.9.9".into()),
        ("fingerprint", |it| it["sweeps"][0]["fingerprint"] = "0x0000000000000001".into()),
        ("version 2", |it| it["midput_report"] = 2.into()),
        ("no report", |it| it["extra"] = 2.into()),
    ];
    for (what, spoil) in spoil {
        let mut spoilt = good.clone();
        spoil(&mut spoilt);
        shards.write(2, &spoilt);
        let told = shards.refusal(1..=2);
        assert!(told.contains(what) && told.contains(&file), "{what}: {told}");
    }
    shards.write(2, &good);
    assert_eq!(shards.merge(root(), 1..=2).2, 0);
}

/// planned = run + skipped is held where reports are merged, whatever a file says.
#[test]
fn figures_that_do_not_add_up_are_refused() {
    let shards = Shards::of(root(), 2, &[PUT, "--world", "sim", "--cases", "64"]);
    let good = shards.read(1);
    let planned = number(&good["sweeps"][0]["planned"]);
    assert_eq!(planned, 32);
    let spoil: [(&str, Spoil); 5] = [
        ("is not run 31 + skipped 0", |it| it["sweeps"][0]["run"] = 31.into()),
        ("is not run 32 + skipped 1", |it| it["sweeps"][0]["skipped"] = 1.into()),
        ("is not run 18446744073709551615", |it| {
            it["sweeps"][0]["run"] = u64::MAX.into();
            it["sweeps"][0]["skipped"] = 33.into();
        }),
        ("verdict", |it| it["sweeps"][0]["verdict"] = serde_json::json!({"is": "fail", "why": ""})),
        ("sum", |it| it["totals"]["steps"] = 1.into()),
    ];
    for (what, spoil) in spoil {
        let mut spoilt = good.clone();
        spoil(&mut spoilt);
        shards.write(1, &spoilt);
        let told = shards.refusal(1..=2);
        assert!(told.contains(what) && told.contains(&shards.file(1)), "{what}: {told}");
    }
    // Each file for itself is right, and together they have too many cases.
    let mut more = good;
    for figures in ["/sweeps/0", "/totals"] {
        for figure in ["planned", "run"] {
            *more.pointer_mut(&format!("{figures}/{figure}")).unwrap() = 33.into();
        }
    }
    shards.write(1, &more);
    let told = shards.refusal(1..=2);
    assert!(told.contains("65 cases together, and all are 64"), "{told}");
}

/// Case i belongs to shard i modulo n: the failing cases of a shard are those of the whole that
/// are its own.
#[test]
fn a_case_belongs_to_the_shard_of_its_number() {
    let folder = with_forbidden_harm();
    let arguments = ["--world", "sim", "--cases", "60", "--max-fail", "0"];
    let shards = Shards::of(folder.path(), 3, &arguments);
    let mut seen = BTreeSet::new();
    for shard in 1..=shards.of {
        for failed in shards.read(shard)["sweeps"][0]["failures"].as_array().unwrap() {
            let case = number(&failed["number"]);
            assert_eq!(case % 3 + 1, shard);
            assert!(seen.insert(case));
        }
    }
    assert!(seen.len() > 10, "{seen:?}");
}
