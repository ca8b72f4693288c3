//! House rules that no compiler checks. Those that one can are in `[lints]` of Cargo.toml and in clippy.toml.

#![expect(clippy::expect_used, reason = "a check that cannot run has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Longer files hide their order.
const MOST_LINES: usize = 500;

/// What each layer may use, the lowest first: `http, cli → commit → decide → rules → domain`; the store sees the nouns
/// and the data types of the core. A module that is not listed is the shell and may use everything.
const LAYERS: [(&str, &[&str]); 5] = [
    ("domain", &["domain"]),
    ("rules", &["domain", "rules", "toml_text"]),
    ("decide", &["domain", "rules", "decide"]),
    ("store", &["domain", "decide", "store", "clock", "telemetry"]),
    ("commit", &["domain", "rules", "decide", "store", "commit", "clock", "telemetry"]),
];

/// Layers that wait for nothing and know no database and no network.
const PURE: [&str; 3] = ["src/domain/", "src/rules/", "src/decide/"];

/// Where a method that clippy.toml forbids may be excepted.
const MAY_EXCEPT: [&str; 2] = ["src/clock.rs", "src/telemetry/mod.rs"];

#[test]
fn the_core_knows_no_runtime_no_database_and_no_network() {
    offend_nothing(code_lines().filter(|line| {
        PURE.iter().any(|pure| line.path.starts_with(pure))
            && ["tokio", "sqlx", "rusqlite", "actix", "reqwest", "async "].iter().any(|word| line.code.contains(word))
    }));
}

#[test]
fn each_layer_uses_only_those_below_it() {
    offend_nothing(code_lines().filter(|line| {
        let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| line.path.starts_with(&format!("src/{layer}/")))
        else {
            return false;
        };
        line.code.split("crate::").skip(1).any(|used| {
            let module: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            !allowed.contains(&module.as_str())
        })
    }));
}

#[test]
fn sql_lives_in_the_store() {
    let statements = ["SELECT ", "INSERT INTO ", "DELETE FROM ", "UPDATE ", "CREATE TABLE "];
    offend_nothing(code_lines().filter(|line| {
        !line.path.starts_with("src/store/") && statements.iter().any(|statement| line.code.contains(statement))
    }));
}

#[test]
fn what_clippy_forbids_is_excepted_only_where_the_list_says() {
    offend_nothing(code_lines().filter(|line| {
        line.code.contains("clippy::disallowed_methods") && !MAY_EXCEPT.iter().any(|place| line.path.starts_with(place))
    }));
}

#[test]
fn only_the_command_line_prints() {
    let prints = ["println!", "print!", "eprintln!", "eprint!"];
    offend_nothing(code_lines().filter(|line| {
        let speaks = line.path.starts_with("src/cli/") || line.path == "src/main.rs";
        !speaks && prints.iter().any(|print| line.code.contains(print))
    }));
}

#[test]
fn error_statuses_are_given_in_one_file() {
    offend_nothing(code_lines().filter(|line| {
        let gives_status = |prefix: &str, fine: &[&str]| {
            line.code.split(prefix).skip(1).any(|rest| {
                let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                !fine.contains(&name.as_str())
            })
        };
        line.path.starts_with("src/http/")
            && line.path != "src/http/error.rs"
            && (gives_status("StatusCode::", &["OK", "CREATED"])
                || gives_status("HttpResponse::", &["Ok", "Created", "build", "new"]))
    }));
}

#[test]
fn tests_stand_at_a_files_foot() {
    let items =
        ["pub", "use ", "fn ", "async ", "const ", "static ", "struct ", "enum ", "trait ", "impl", "macro_rules!"];
    offend_nothing(rust_files(&["src"]).flat_map(|(path, text)| {
        let below: Vec<String> = text
            .lines()
            .skip(production_lines(&text))
            .filter(|line| items.iter().any(|item| line.starts_with(item)))
            .map(|line| format!("{path}: {line} stands below the tests"))
            .collect();
        below
    }));
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not break its own rule.
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["HA", "CK:"].concat()];
    let offenders = files(&["src", "tests", "migrations", "openapi", "scripts", "templates", "docs", "benches"])
        .into_iter()
        .flat_map(|path| {
            let text = fs::read_to_string(root().join(&path)).unwrap_or_default();
            let found: Vec<String> = text
                .lines()
                .enumerate()
                .filter(|(_, line)| marks.iter().any(|mark| line.contains(mark.as_str())))
                .map(|(number, line)| format!("{path}:{}: {}", number + 1, line.trim()))
                .collect();
            found
        });
    offend_nothing(offenders);
}

#[test]
fn no_file_is_too_long_to_read() {
    offend_nothing(rust_files(&["src", "tests", "benches"]).filter_map(|(path, text)| {
        let lines = text.lines().count();
        (lines > MOST_LINES).then(|| format!("{path} has {lines} lines, more than {MOST_LINES}"))
    }));
}

#[test]
fn both_stores_have_the_same_migrations() {
    let stores: Vec<(String, BTreeSet<String>)> = fs::read_dir(root().join("migrations"))
        .expect("migrations is a directory")
        .map(|entry| {
            let entry = entry.expect("migrations can be listed");
            let store = entry.file_name().to_string_lossy().into_owned();
            let names = fs::read_dir(entry.path())
                .expect("a store's migrations are a directory")
                .map(|file| file.expect("it can be listed").file_name().to_string_lossy().into_owned())
                .collect();
            (store, names)
        })
        .collect();
    let (first, expected) = stores.first().expect("there is at least one store");
    for (store, names) in &stores {
        assert_eq!(names, expected, "{store} and {first} differ");
        for (place, name) in names.iter().enumerate() {
            assert!(name.starts_with(&format!("{:04}_", place + 1)), "{store}/{name}: numbers follow each other");
        }
    }
}

#[test]
fn both_stores_have_the_same_tables_and_columns() {
    let columns = |store: &str| -> BTreeSet<String> {
        let (mut found, mut table) = (BTreeSet::new(), None);
        for path in files(&[&format!("migrations/{store}")]) {
            let text = fs::read_to_string(root().join(path)).expect("a migration is UTF-8");
            for line in text.lines() {
                if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
                    table = rest.split_whitespace().next().map(str::to_owned);
                } else if line.starts_with(')') {
                    table = None;
                } else if let (Some(table), Some(column)) = (&table, line.split_whitespace().next()) {
                    found.insert(format!("{table}.{}", column.trim_matches('"')));
                }
            }
        }
        found
    };
    assert_eq!(columns("sqlite"), columns("postgres"));
}

#[test]
fn the_image_gets_every_file_that_is_compiled_in() {
    let ignored = fs::read_to_string(root().join(".dockerignore")).expect(".dockerignore is there");
    let let_in: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    offend_nothing(rust_files(&["src"]).flat_map(|(path, text)| {
        let folder = root().join(&path).parent().expect("a file is in a folder").to_path_buf();
        let included: Vec<String> = ["include_str!(\"", "include_bytes!(\""]
            .iter()
            .flat_map(|start| text.split(start).skip(1).filter_map(|rest| rest.split_once('"')))
            .map(|(file, _)| folder.join(file))
            .filter(|file| {
                let file = file.canonicalize().expect("an included file is there");
                let inside = file.strip_prefix(root()).expect("an included file is ours");
                !let_in.iter().any(|allowed| inside.starts_with(allowed))
            })
            .map(|file| format!("{path} includes {}, which .dockerignore keeps out", file.display()))
            .collect();
        included
    }));
}

#[test]
fn the_image_gets_every_target_that_the_manifest_names() {
    let ignored = fs::read_to_string(root().join(".dockerignore")).expect(".dockerignore is there");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml is there");
    for (table, folder) in [("[[bench]]", "!benches"), ("[[test]]", "!tests"), ("[[example]]", "!examples")] {
        assert!(!manifest.contains(table) || ignored.lines().any(|line| line == folder), "{table} needs {folder}");
    }
}

/// One line of production code, without its comment.
struct CodeLine {
    path: String,
    number: usize,
    code: String,
}

impl From<CodeLine> for String {
    fn from(line: CodeLine) -> Self {
        format!("{}:{}: {}", line.path, line.number, line.code.trim())
    }
}

/// Every line of `src` above the tests at a file's foot.
fn code_lines() -> impl Iterator<Item = CodeLine> {
    rust_files(&["src"]).flat_map(|(path, text)| {
        let lines: Vec<CodeLine> = text
            .lines()
            .take(production_lines(&text))
            .enumerate()
            .map(|(index, line)| CodeLine { path: path.clone(), number: index + 1, code: without_comment(line) })
            .collect();
        lines
    })
}

/// How many lines stand above the modules of tests.
fn production_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let foot = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod "));
    foot.unwrap_or(lines.len())
}

/// Cuts at `//` unless it stands in a URL.
fn without_comment(line: &str) -> String {
    line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':')).map_or(line, |(at, _)| &line[..at]).to_owned()
}

fn rust_files(folders: &[&str]) -> impl Iterator<Item = (String, String)> {
    files(folders).into_iter().filter(|path| path.ends_with(".rs")).map(|path| {
        let text = fs::read_to_string(root().join(&path)).expect("a source file is UTF-8");
        (path, text)
    })
}

/// Paths below the repository's root, sorted.
fn files(folders: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("a folder can be listed").path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let inside = path.strip_prefix(root()).expect("it is below the root");
                found.push(inside.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
fn offend_nothing<T: Into<String>>(offenders: impl Iterator<Item = T>) {
    let offenders: Vec<String> = offenders.map(Into::into).collect();
    assert!(offenders.is_empty(), "\n{}", offenders.join("\n"));
}
