//! Who may depend on whom: the architecture as the packages declare it.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

fn metadata() -> cargo_metadata::Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).exec().unwrap()
}

fn declared(package: &Package) -> BTreeSet<&str> {
    let normal = package.dependencies.iter().filter(|it| it.kind == DependencyKind::Normal);
    normal.map(|dependency| dependency.name.as_str()).collect()
}

/// Everything that `package` links, by name.
fn linked(metadata: &cargo_metadata::Metadata, package: &str) -> BTreeSet<String> {
    linked_without(metadata, package, "")
}

/// The same where one dependency is left out.
fn linked_without(
    metadata: &cargo_metadata::Metadata,
    package: &str,
    left_out: &str,
) -> BTreeSet<String> {
    let nodes = &metadata.resolve.as_ref().unwrap().nodes;
    let names: BTreeMap<_, _> =
        metadata.packages.iter().map(|it| (&it.id, it.name.to_string())).collect();
    let mut found = BTreeSet::new();
    let mut open: Vec<_> = metadata.packages.iter().filter(|it| it.name == package).collect();
    while let Some(package) = open.pop() {
        if package.name == left_out || !found.insert(names[&package.id].clone()) {
            continue;
        }
        let node = nodes.iter().find(|node| node.id == package.id).unwrap();
        for dependency in &node.deps {
            let normal = dependency.dep_kinds.iter().any(|it| it.kind == DependencyKind::Normal);
            if normal {
                open.extend(metadata.packages.iter().find(|it| it.id == dependency.pkg));
            }
        }
    }
    found
}

#[test]
fn each_crate_knows_only_what_it_may_know() {
    let metadata = metadata();
    let members: BTreeMap<String, BTreeSet<&str>> = metadata
        .workspace_packages()
        .into_iter()
        .map(|package| {
            let own = declared(package).into_iter().filter(|it| it.starts_with("midput-"));
            (package.name.to_string(), own.collect())
        })
        .collect();
    let set = |names: &[&'static str]| names.iter().copied().collect::<BTreeSet<_>>();
    let all = ["midput-model", "midput-real", "midput-scenarios", "midput-sim"];
    assert_eq!(members["midput-model"], set(&[]));
    assert_eq!(members["midput-real"], set(&[]));
    assert_eq!(members["midput-scenarios"], set(&["midput-model"]));
    assert_eq!(members["midput-sim"], set(&all[..3]));
    assert_eq!(members["midput"], set(&all));
    assert_eq!(members["midput-madsim"], set(&["midput-model", "midput-sim"]));
    assert_eq!(members.len(), 6, "a new member needs its line here");
}

/// The model has no libc, no clock, no thread, no random number: not even through somebody else.
#[test]
fn the_model_links_nothing_of_an_operating_system() {
    let linked = linked(&metadata(), "midput-model");
    for banned in ["libc", "rustix", "nix", "rand", "rand_chacha", "getrandom", "tokio", "mio"] {
        assert!(!linked.contains(banned), "midput-model links {banned}");
    }
    assert!(linked.contains("serde"), "the check sees nothing");
}

/// Whoever adds `midput-real` to a program gets serde, rustix or libc, and little else, unless it
/// asks for pickles.
#[test]
fn the_queue_links_little() {
    let metadata = metadata();
    let linked = linked_without(&metadata, "midput-real", "serde-pickle");
    let real = metadata.packages.iter().find(|package| package.name == "midput-real").unwrap();
    let pickle = real.dependencies.iter().find(|it| it.name == "serde-pickle").unwrap();
    assert!(pickle.optional && !real.features.contains_key("default"));
    let banned = ["clap", "tracing", "madsim", "proptest", "insta", "toml", "rand_chacha"];
    for banned in banned {
        assert!(!linked.contains(banned), "midput-real links {banned}");
    }
    assert!(linked.contains("rustix"), "the check sees nothing");
    assert!(linked.len() <= 32, "midput-real links {} crates: {linked:?}", linked.len());
}

/// madsim replaces functions of libc in every binary that links it: only the tests of the second
/// host do, and nobody depends on them.
#[test]
fn only_the_second_host_links_madsim() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        let named: BTreeSet<&str> =
            package.dependencies.iter().map(|it| it.name.as_str()).collect();
        assert!(!named.contains("midput-madsim"), "{} depends on midput-madsim", package.name);
        let links = linked(&metadata, &package.name).contains("madsim");
        let second_host = package.name == "midput-madsim";
        assert_eq!(links || named.contains("madsim"), second_host, "{}", package.name);
        assert!(!second_host || package.publish.as_ref().is_some_and(Vec::is_empty));
    }
}

#[test]
fn plain_cargo_test_means_every_package() {
    let metadata = metadata();
    let default: BTreeSet<_> = metadata.workspace_default_members.iter().collect();
    let members: BTreeSet<_> = metadata.workspace_members.iter().collect();
    assert_eq!(default, members);
}

/// `unsafe` stands only where the architecture allows it.
#[test]
fn unsafe_stands_only_in_the_linux_module() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open = ["src", "model", "real", "sim", "scenarios", "tests"]
        .map(|folder| root.join(folder))
        .to_vec();
    let (mut files, mut with_unsafe) = (0, 0);
    while let Some(path) = open.pop() {
        if path.ends_with("fuzz/target") {
            continue;
        }
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        files += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let blocks = ["unsafe {", "unsafe fn", "unsafe impl"];
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let used = lines
            .into_iter()
            .any(|line| !line.contains('"') && blocks.iter().any(|block| line.contains(block)));
        if used {
            with_unsafe += 1;
            assert!(path.starts_with(root.join("real/src/os/linux")), "{}", path.display());
        }
    }
    assert!(files > 80 && with_unsafe > 0, "{files} files, {with_unsafe} with unsafe");
}
