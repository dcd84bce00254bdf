//! Writes the header from the comments and signatures in `src/api`: `make header`.

use std::fs;
use std::path::Path;

/// The files of `src/api`, in the order of the header.
const GROUPS: [&str; 10] =
    ["mode", "transfer", "lines", "connection", "wait", "deadline", "transfer_until", "names", "addresses", "about"];
const WIDTH: usize = 100;

fn main() {
    let target = std::env::args().nth(1).expect("usage: header FILE");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    all_grouped(&root.join("src/api"));
    let text = without_repetitions(&generate(&root));
    // A header that is up to date is not touched: nothing is compiled again for it.
    if fs::read_to_string(&target).is_ok_and(|there| there == text) {
        return;
    }
    fs::write(&target, text).unwrap_or_else(|error| panic!("{target} cannot be written: {error}"));
}

fn all_grouped(api: &Path) {
    let mut files: Vec<String> = fs::read_dir(api)
        .expect("src/api is there")
        .map(|entry| entry.expect("src/api can be read").file_name().into_string().expect("a name of ours"))
        .collect();
    files.sort();
    let mut grouped: Vec<String> = GROUPS.iter().chain(&["mod"]).map(|group| format!("{group}.rs")).collect();
    grouped.sort();
    assert_eq!(files, grouped, "src/api and GROUPS in include/generate/main.rs differ");
}

fn generate(root: &Path) -> String {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("cbindgen.toml");
    let mut config = cbindgen::Config::from_file(config).expect("cbindgen.toml is valid");
    config.after_includes = config.after_includes.map(|macros| with_version(macros, root));
    let mut builder = cbindgen::Builder::new().with_config(config).with_src(root.join("src/codes.rs"));
    for group in GROUPS {
        builder = builder.with_src(root.join(format!("src/api/{group}.rs")));
    }
    let mut text = Vec::new();
    builder.generate().expect("src/api has C declarations").write(&mut text);
    String::from_utf8(text).expect("the comments are UTF-8")
}

fn with_version(macros: String, root: &Path) -> String {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("Cargo.toml is there");
    let version =
        manifest.lines().find_map(|line| line.strip_prefix("version = ")).expect("a version").trim_matches('"');
    ["@MAJOR@", "@MINOR@", "@PATCH@"]
        .iter()
        .zip(version.split('.'))
        .fold(macros.replace("@VERSION@", version), |text, (part, number)| text.replace(part, number))
}

/// Said once in the preamble, for all functions whose comments say nothing else.
const SAFE: &str = "Safe to call from any thread, from a signal handler and after fork.";

/// Comments without what the preamble says: `SAFE`, and the sections that Rust's conventions ask for.
fn without_repetitions(text: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        kept.push(line.to_owned());
        if line == "/**" {
            let comment: Vec<&str> = lines.by_ref().take_while(|line| *line != " */").collect();
            kept.push(paragraphs(&comment).join("\n *\n"));
            kept.push(" */".to_owned());
        }
    }
    kept.join("\n") + "\n"
}

fn paragraphs(comment: &[&str]) -> Vec<String> {
    comment
        .split(|line| *line == " *")
        .take_while(|paragraph| *paragraph != [" * # Safety"])
        .map(|paragraph| {
            let words = paragraph.iter().flat_map(|line| line.split(' ').skip(2)).collect::<Vec<_>>().join(" ");
            if words.contains(SAFE) { filled(words.replace(SAFE, "").split_whitespace()) } else { paragraph.join("\n") }
        })
        .filter(|paragraph| !paragraph.is_empty())
        .collect()
}

/// Words as lines of a comment.
fn filled<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => *line += &format!(" {word}"),
            _ => lines.push(format!(" * {word}")),
        }
    }
    lines.join("\n")
}
