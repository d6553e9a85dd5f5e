//! The rules of ARCHITECTURE.md that a test can check, on whole files as a parser reads them. Each rule is
//! a function from modules to what breaks it, and fails on an example that is planted.

// What a file names, calls and holds.
mod source;
// Modules that import each other.
mod circles;

use circles::{circles, graph};
use source::Module;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A module and the modules of this crate that it may name.
const MAY_IMPORT: [(&str, &[&str]); 18] = [
    (
        "cli",
        &[
            "report", "analysis", "study", "export", "train", "data", "kernels", "stats", "config",
            "spec", "files", "format", "error",
        ],
    ),
    (
        "report",
        &[
            "study", "analysis", "stats", "train", "probe", "events", "config", "spec", "files",
            "format", "rng", "error",
        ],
    ),
    ("analysis", &["stats", "spec", "format"]),
    (
        "study",
        &[
            "train", "probe", "model", "data", "kernels", "stats", "events", "config", "spec",
            "files", "format", "rng", "error",
        ],
    ),
    ("probe", &["train", "model", "kernels", "stats", "config", "spec", "rng"]),
    ("export", &["model", "kernels", "spec", "files"]),
    ("train", &["model", "kernels", "config", "spec", "files", "rng"]),
    ("model", &["kernels", "config", "spec", "files", "rng", "error"]),
    ("data", &["kernels", "config", "spec", "files", "format", "rng", "error"]),
    ("config", &["spec", "error"]),
    ("kernels", &["spec"]),
    ("stats", &[]),
    ("spec", &[]),
    ("events", &["files"]),
    ("rng", &[]),
    ("files", &[]),
    ("format", &[]),
    ("error", &[]),
];

/// Circles of modules that there are today. The list only shrinks: a circle that is opened, or becomes
/// smaller, is taken out here.
const KNOWN_CIRCLES: &[&[&str]] = &[&["kernels::fused::tile", "kernels::fused::vector"]];

/// The library's modules. `main.rs` stands apart: it is the program.
fn modules() -> &'static [Module] {
    static MODULES: OnceLock<Vec<Module>> = OnceLock::new();
    MODULES.get_or_init(read_modules)
}

fn read_modules() -> Vec<Module> {
    let files = files(&root().join("src"), &["rs"]);
    let path = |file: &Path| -> Vec<String> {
        let inside = file.strip_prefix(root().join("src")).unwrap().with_extension("");
        let names = inside.iter().map(|name| name.to_string_lossy().into_owned());
        names.filter(|name| !["mod", "lib"].contains(&name.as_str())).collect()
    };
    let all: Vec<(Vec<String>, String)> = files
        .iter()
        .filter(|file| !file.ends_with("src/main.rs"))
        .map(|file| (path(file), fs::read_to_string(file).unwrap()))
        .collect();
    parse(&all)
}

fn parse(all: &[(Vec<String>, String)]) -> Vec<Module> {
    let children = |of: &[String]| -> Vec<String> {
        let below = all.iter().filter(|(path, _)| path.len() == of.len() + 1);
        below.filter(|(path, _)| path.starts_with(of)).map(|(p, _)| p[of.len()].clone()).collect()
    };
    all.iter().map(|(path, text)| Module::parse(path, text, &children(path))).collect()
}

/// Modules that are made up: `("study::pool", "use super::x;")`.
fn planted(sources: &[(&str, &str)]) -> Vec<Module> {
    let path = |name: &str| name.split("::").map(str::to_owned).collect();
    let all: Vec<_> = sources.iter().map(|(name, text)| (path(name), (*text).to_owned())).collect();
    parse(&all)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder whose names end like this.
fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if extensions.contains(&extension.as_str()) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn layers_broken(modules: &[Module]) -> Vec<String> {
    let mut broken = Vec::new();
    for module in modules {
        let Some(layer) = module.path.first() else { continue };
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| name == layer) else {
            broken.push(format!("`{layer}` is not in the table of layers"));
            continue;
        };
        for (path, line) in &module.names {
            let to = path.first().map_or("", String::as_str);
            let is_layer = MAY_IMPORT.iter().any(|(name, _)| *name == to);
            if is_layer && to != layer && !allowed.contains(&to) {
                let module = module.path.join("::");
                broken.push(format!("{module}, line {line}: `{layer}` may not import `{to}`"));
            }
        }
    }
    broken
}

#[test]
fn imports_flow_one_way() {
    let modules = modules();
    let none: Vec<String> = Vec::new();
    assert_eq!(layers_broken(modules), none);
    assert!(modules.iter().map(|module| module.names.len()).sum::<usize>() > 1000);
    for text in [
        "use crate::{study::{Plan, Run}, format};",
        "fn f() -> crate::study::Plan { todo!() }",
        "use super::super::study::Plan;",
        "fn f() { println!(\"{}\", crate::study::NAME) }",
        "#[cfg(test)] mod tests; use crate::study::Plan;",
    ] {
        let broken = layers_broken(&planted(&[("stats::best", text)]));
        assert!(!broken.is_empty(), "{text}");
        assert!(broken[0].contains("`stats` may not import `study`"), "{broken:?}");
    }
    let in_tests = "#[cfg(test)] mod tests { use crate::study::Plan; }";
    assert_eq!(layers_broken(&planted(&[("stats::best", in_tests)])), none);
    assert_eq!(layers_broken(&planted(&[("new", "fn f() {}")])).len(), 1);
}

/// Circles beyond the known ones, and known ones that are no more.
fn circles_changed(modules: &[Module], known: &[&[&str]]) -> Vec<String> {
    let found = circles(&graph(modules));
    let fits = |circle: &Vec<String>, known: &[&str]| {
        circle.iter().all(|module| known.contains(&module.as_str()))
    };
    let new = found.iter().filter(|circle| !known.iter().any(|known| fits(circle, known)));
    let new = new.map(|circle| format!("a new circle: {}", circle.join(", ")));
    let gone = known.iter().filter(|known| !found.iter().any(|circle| circle == *known));
    let gone = gone.map(|known| format!("no longer a circle as listed: {}", known.join(", ")));
    new.chain(gone).collect()
}

#[test]
fn no_new_circle_of_modules_appears_and_opened_ones_leave_the_list() {
    let none: Vec<String> = Vec::new();
    assert_eq!(circles_changed(modules(), KNOWN_CIRCLES), none);
    let circle = planted(&[
        ("study", "pub use pool::Pool;"),
        ("study::pool", "use super::plan::Plan; pub struct Pool;"),
        ("study::plan", "use super::Pool; pub struct Plan;"),
    ]);
    assert_eq!(circles_changed(&circle, &[]), ["a new circle: study::plan, study::pool"]);
    assert_eq!(circles_changed(&circle, &[&["study::plan", "study::pool"]]), none);
    let line = planted(&[("a", ""), ("a::b", "use super::c::C;"), ("a::c", "pub struct C;")]);
    assert_eq!(circles_changed(&line, &[]), none);
    assert_eq!(circles_changed(&line, &[&["a::b", "a::c"]]).len(), 1);
}

/// Who prints, reads the environment, exits or looks at the terminal.
fn talkers(modules: &[Module]) -> Vec<String> {
    let is_talk = |call: &str| {
        let ends = ["stdout", "stderr", "process::exit", "env::var", "env::var_os", "env::args"];
        ["println!", "eprintln!", "print!", "eprint!", "dbg!", ".is_terminal"].contains(&call)
            || ends.iter().any(|end| call == *end || call.ends_with(&format!("::{end}")))
    };
    let below = modules.iter().filter(|module| module.path.first().is_some_and(|top| top != "cli"));
    let each = below.flat_map(|module| {
        let calls = module.calls.iter().filter(|(call, _)| is_talk(call));
        calls.map(|(call, line)| format!("{}, line {line}: {call}", module.path.join("::")))
    });
    each.collect()
}

#[test]
fn only_the_command_line_prints_reads_the_environment_and_exits() {
    let none: Vec<String> = Vec::new();
    assert_eq!(talkers(modules()), none);
    for text in [
        "fn f() { println!(\"x\") }",
        "fn f() { std::env::var(\"X\").ok(); }",
        "use std::process; fn f() { process::exit(1) }",
        "fn f() { let out = std::io::stdout(); }",
        "use std::io::stdout; fn f() { let out = stdout(); }",
        "fn f() { vec![std::env::args()]; }",
    ] {
        assert!(!talkers(&planted(&[("study::pool", text)])).is_empty(), "{text}");
        assert_eq!(talkers(&planted(&[("cli::run", text)])), none);
    }
}

/// Whether a text has two words beside each other; what stands in braces is none.
fn is_english(text: &str) -> bool {
    let mut depth = 0usize;
    let outside = |c: &char| {
        let before = depth;
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && before == 0
    };
    let text: String = text.chars().filter(outside).collect();
    let is_word = |word: &str| word.chars().filter(|c| c.is_alphabetic()).count() > 1;
    let words: Vec<bool> = text.split_whitespace().map(is_word).collect();
    words.windows(2).any(|pair| pair == [true, true])
}

/// Who in `analysis` puts into words what it finds, which `report::words` is for. Files of tests may.
fn talk_of_analysis(modules: &[Module]) -> Vec<String> {
    let talks = |module: &&Module| module.texts.iter().any(|(text, _)| is_english(text));
    let of_analysis = modules.iter().filter(|module| {
        let is_test = module.path.last().is_some_and(|n| ["tests", "simulation"].contains(&&**n));
        module.path.first().is_some_and(|layer| layer == "analysis") && !is_test
    });
    of_analysis.filter(talks).map(|module| module.path.join("::")).collect()
}

#[test]
fn the_analysis_returns_facts_and_leaves_the_words_to_the_report() {
    let none: Vec<String> = Vec::new();
    assert_eq!(talk_of_analysis(modules()), none);
    let of = |text: &str| talk_of_analysis(&planted(&[("analysis::noise", text)]));
    assert_eq!(of("fn f() -> &'static str { \"too few seeds\" }").len(), 1);
    assert_eq!(of("fn f() -> String { format!(\"{x} is better\") }").len(), 1);
    for silent in [
        "/// Some words here.\nfn f() {}",
        "fn f() -> String { format!(\"{low:.1} to {high:.1} %\") }",
        "fn f() -> &'static str { \"top_eigenvalue\" }",
        "#[cfg(test)] mod tests { fn f() -> &'static str { \"some words\" } }",
    ] {
        assert_eq!(of(silent), none, "{silent}");
    }
}

fn unsafe_code(modules: &[Module]) -> Vec<String> {
    let is_allowed = |path: &[String]| {
        path.first().is_some_and(|layer| layer == "kernels") || path == ["data", "dataset"]
    };
    let others = modules.iter().filter(|module| !is_allowed(&module.path));
    let each = others.flat_map(|module| {
        module.unsafe_lines.iter().map(|line| format!("{}, line {line}", module.path.join("::")))
    });
    each.collect()
}

#[test]
fn unsafe_code_stands_in_the_kernels_and_in_the_mapped_file_reader_only() {
    let (all, none) = (modules(), Vec::<String>::new());
    assert_eq!(unsafe_code(all), none);
    assert!(all.iter().any(|module| !module.unsafe_lines.is_empty()));
    for text in ["fn f() { unsafe { g() } }", "unsafe fn f() {}", "unsafe impl Send for X {}"] {
        assert_eq!(unsafe_code(&planted(&[("study", text)])).len(), 1, "{text}");
        assert_eq!(unsafe_code(&planted(&[("kernels::fused", text)])), none);
    }
}

fn long_files(modules: &[Module]) -> Vec<String> {
    let long = modules.iter().filter(|module| module.lines > 420);
    long.map(|m| format!("{} has {} lines without its tests", m.path.join("::"), m.lines)).collect()
}

#[test]
fn files_stay_short_enough_to_be_read() {
    assert_eq!(long_files(modules()), Vec::<String>::new());
    let long = "fn f() {}\n".repeat(421);
    assert_eq!(long_files(&planted(&[("stats", &long)])).len(), 1);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{long}}}\n#[cfg(test)]\nmod more;\n");
    assert_eq!(long_files(&planted(&[("stats", &tests)])), Vec::<String>::new());
}

/// Files of the project that name the folder beside it, which users do not have.
fn outside(texts: &[(PathBuf, String)]) -> Vec<&Path> {
    let name = ["..", "shared"].join("/");
    texts.iter().filter(|(_, text)| text.contains(&name)).map(|(path, _)| path.as_path()).collect()
}

#[test]
fn nothing_in_the_project_reads_what_lies_outside_of_it() {
    let folders = ["src", "tests", "benches", "scripts", "experiments", "docs"];
    let kinds = ["rs", "py", "yaml", "md", "sh", "toml", "html", "json", "cpp", ""];
    let found = folders.iter().flat_map(|folder| files(&root().join(folder), &kinds));
    let texts: Vec<(PathBuf, String)> =
        found.filter_map(|path| fs::read_to_string(&path).ok().map(|text| (path, text))).collect();
    assert!(texts.len() > 300, "the test reads nothing");
    assert_eq!(outside(&texts), Vec::<&Path>::new());
    let planted = (PathBuf::from("x"), ["open('..", "shared/cases')"].join("/"));
    assert_eq!(outside(&[planted]).len(), 1);
}
