//! Every source and every refusal, without touching the process.

use secrecy::{ExposeSecret, SecretString};

use super::*;
use crate::domain::policy::*;

type Variables<'a> = &'a [(&'a str, &'a str)];

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Settings from a `vna.toml` and variables.
fn load(file: &str, variables: Variables<'_>) -> Result<Settings, SettingsError> {
    let directory = directory();
    std::fs::write(directory.path().join("vna.toml"), file).unwrap();
    Settings::load(&Flags::default(), &Environment::new(directory.path(), variables.iter().copied()))
}

fn from_variables(variables: Variables<'_>) -> Result<Settings, SettingsError> {
    load("", variables)
}

/// What is wrong, which must be one line that holds `problem`.
#[track_caller]
fn refused(settings: Result<Settings, SettingsError>, problem: &str) {
    let text = settings.unwrap_err().to_string();
    assert!(text.contains(problem) && text.lines().count() == 1, "{text}");
}

#[test]
fn without_any_source_the_defaults_count() {
    let settings = Settings::load(&Flags::default(), &Environment::new(directory().path(), [])).unwrap();
    assert_eq!(settings.database_url.expose(), "sqlite://vna-partner.db");
    assert_eq!(settings.bind, "127.0.0.1:8080".parse().unwrap());
    assert_eq!((settings.base_path.as_str(), settings.public_url.as_ref(), settings.rules.as_ref()), ("", None, None));
    assert!(settings.signing_keys.is_empty() && settings.admin_keys.is_empty() && settings.warnings.is_empty());
    let http = HttpSettings { max_body_bytes: 65_536, body_timeout: Span::seconds(10), drain: Span(0) };
    assert_eq!(settings.http, http);
    assert_eq!(settings.policy, Policy::default());
    assert_eq!(settings.accounts.display_prefix, "MC");
    assert_eq!(settings.log, LogSettings { format: LogFormat::Auto, filter: "info".to_owned() });
    assert_eq!(settings.browser_url("127.0.0.1:49152".parse().unwrap()), "http://127.0.0.1:49152");
}

#[test]
fn the_shipped_file_read_as_settings_changes_nothing() {
    let shipped = load(DEFAULTS, &[]).unwrap();
    assert_eq!(format!("{shipped:?}"), format!("{:?}", from_variables(&[]).unwrap()));
}

#[test]
fn flags_come_before_the_environment_and_that_before_the_file() {
    let directory = directory();
    std::fs::write(directory.path().join("vna.toml"), "bind = \"127.0.0.1:1\"\nbase_path = \"/file\"\n").unwrap();
    let environment = Environment::new(directory.path(), [("VNA_BIND", "127.0.0.1:2"), ("VNA_RULES", "a.toml")]);
    let port = |flags: &Flags| Settings::load(flags, &environment).unwrap().bind.port();
    assert_eq!(port(&Flags::default()), 2);
    assert_eq!(port(&Flags { bind: Some("127.0.0.1:3".to_owned()), ..Flags::default() }), 3);
    let settings = Settings::load(&Flags { rules: Some("b.toml".into()), ..Flags::default() }, &environment).unwrap();
    assert_eq!((settings.rules, settings.base_path.as_str()), (Some(directory.path().join("b.toml")), "/file"));
}

#[test]
fn the_settings_file_is_named_by_flag_or_variable_and_must_then_exist() {
    let directory = directory();
    std::fs::write(directory.path().join("other.toml"), "bind = \"127.0.0.1:9\"").unwrap();
    let of = |config: Option<&str>, variables: Variables<'_>| {
        let flags = Flags { config: config.map(PathBuf::from), ..Flags::default() };
        Settings::load(&flags, &Environment::new(directory.path(), variables.iter().copied()))
    };
    assert_eq!(of(Some("other.toml"), &[]).unwrap().bind.port(), 9);
    assert_eq!(of(None, &[("VNA_CONFIG", "other.toml")]).unwrap().bind.port(), 9);
    assert_eq!(of(Some("other.toml"), &[("VNA_CONFIG", "none.toml")]).unwrap().bind.port(), 9);
    refused(of(Some("none.toml"), &[]), "none.toml cannot be read");
    refused(of(None, &[("VNA_CONFIG", "none.toml")]), "none.toml cannot be read");
}

/// Every key with a value that is not its default, as it stands in the file.
const CHANGED: [(&str, &str, &str); 25] = [
    ("", "database_url", "\"sqlite://other.db\""),
    ("", "bind", "\"0.0.0.0:9000\""),
    ("", "base_path", "\"/v1\""),
    ("", "public_url", "\"https://wallet.example.com\""),
    ("", "rules", "\"rules.toml\""),
    ("http", "max_body_bytes", "4096"),
    ("http", "body_timeout", "\"3s\""),
    ("http", "drain", "\"5s\""),
    ("policy", "authorization_ttl", "\"2h\""),
    ("policy", "late_credit", "\"accept\""),
    ("policy", "late_credit_window", "\"0s\""),
    ("policy", "unreferenced_credits", "\"refuse\""),
    ("policy", "unreferenced_retry_window", "\"1m\""),
    ("policy", "exchange_rate", "\"match\""),
    ("policy", "settlement", "\"confirmed\""),
    ("policy", "reversals", "false"),
    ("policy", "on_shortfall", "\"negative\""),
    ("policy", "account_creation", "\"on_demand\""),
    ("policy", "currencies", "[\"MXN\", \"USD\"]"),
    ("policy", "enrolment_currency", "\"USD\""),
    ("policy", "missing_sender", "\"refuse\""),
    ("policy", "reasons", "\"v1.0\""),
    ("policy", "credit_status", "\"number\""),
    ("accounts", "display_prefix", "\"LF1\""),
    ("log", "format", "\"json\""),
];

#[test]
fn every_key_has_its_twin_in_the_environment() {
    let mut file = String::new();
    let mut variables = Vec::new();
    let mut table_before = "";
    for (table, key, value) in CHANGED {
        if table != table_before {
            file.push_str(&format!("[{table}]\n"));
            table_before = table;
        }
        file.push_str(&format!("{key} = {value}\n"));
        let plain: String = value.chars().filter(|letter| !"\"[]".contains(*letter)).collect();
        let variable = match (table, key) {
            ("", "database_url") => "DATABASE_URL".to_owned(),
            ("", key) => format!("VNA_{key}").to_uppercase(),
            (table, key) => format!("VNA_{table}_{key}").to_uppercase(),
        };
        variables.push((variable, plain));
    }
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (by_file, by_variables) = (load(&file, &[]).unwrap(), from_variables(&variables).unwrap());
    let strip = |settings: &Settings| {
        let mut settings = settings.clone();
        settings.rules = settings.rules.map(|path| path.file_name().unwrap().into());
        format!("{settings:?}")
    };
    assert_eq!(strip(&by_file), strip(&by_variables));
    assert_eq!(by_file.policy.late_credit, LateCredit::Accept);
    assert_eq!(by_file.policy.account_creation, AccountCreation::OnDemand);
    assert_eq!(by_file.policy.reasons, ReasonSet::V1);
    assert_eq!(by_file.policy.currencies.len(), 2);
    assert!(!by_file.policy.reversals);
    let defaults = toml::from_str::<toml::Table>(DEFAULTS).unwrap();
    let keys: usize = defaults.values().map(|value| value.as_table().map_or(1, |table| table.len())).sum();
    assert_eq!(keys, CHANGED.len() + 1, "all but log.filter are changed here");
}

#[test]
fn what_is_misspelt_is_named() {
    refused(load("bnd = \"x\"", &[]), "vna.toml:1:1: unknown key `bnd` at the top");
    refused(load("[policy]\n\nlate_credits = \"refuse\"", &[]), "vna.toml:3:1: unknown key `late_credits` in [policy]");
    refused(load("[polcy]\nlate_credit = \"refuse\"", &[]), "unknown table [polcy]; the tables are accounts, http");
    refused(load("[bind]\nx = 1", &[]), "`bind` is a key, not a table");
    refused(load("policy = 1", &[]), "unknown key `policy` at the top");
    refused(from_variables(&[("VNA_POLICY_LATE_CREDITS", "refuse")]), "variable VNA_POLICY_LATE_CREDITS");
    refused(from_variables(&[("VNA_BIND_FILE", "x")]), "variable VNA_BIND_FILE");
    refused(from_variables(&[("VNA_DATABASE_URL", "x")]), "variable VNA_DATABASE_URL");
    refused(load("bind = ", &[]), "vna.toml:1:");
    assert!(from_variables(&[("HOME", "/root"), ("RUST_LOG", "debug")]).is_ok(), "others' variables are theirs");
}

#[test]
fn a_wrong_value_is_named_with_its_place_and_what_would_be_right() {
    refused(
        load("[policy]\nlate_credit = \"maybe\"", &[]),
        "vna.toml:2: late_credit: unknown value `maybe`, expected one of `recheck`, `refuse`, `accept`",
    );
    refused(from_variables(&[("VNA_POLICY_LATE_CREDIT", "maybe")]), "VNA_POLICY_LATE_CREDIT: unknown value `maybe`");
    refused(load("[policy]\nreversals = \"true\"", &[]), "vna.toml:2:13: `reversals` must be true or false");
    refused(load("[http]\nmax_body_bytes = \"1024\"", &[]), "`max_body_bytes` must be a whole number");
    refused(load("[policy]\ncurrencies = \"MXN\"", &[]), "`currencies` must be a list");
    refused(load("[policy]\ncurrencies = [1]", &[]), "`currencies` must be a list");
    for (variable, value, problem) in [
        ("VNA_BIND", "localhost:8080", "not an IP address and a port"),
        ("VNA_BIND", "8080", "not an IP address and a port"),
        ("VNA_BASE_PATH", "v1", "not a path"),
        ("VNA_BASE_PATH", "//v1", "not a path"),
        ("VNA_BASE_PATH", "/v1?x", "not a path"),
        ("VNA_PUBLIC_URL", "wallet.example.com", "not a web address"),
        ("VNA_PUBLIC_URL", "ftp://wallet.example.com", "not a web address"),
        ("VNA_PUBLIC_URL", "https://wallet.example.com/?a=1", "not a web address"),
        ("VNA_HTTP_MAX_BODY_BYTES", "0", "from 1024 to"),
        ("VNA_HTTP_MAX_BODY_BYTES", "64k", "from 1024 to"),
        ("VNA_HTTP_MAX_BODY_BYTES", "99999999999999999999", "from 1024 to"),
        ("VNA_HTTP_BODY_TIMEOUT", "10", "not a duration"),
        ("VNA_HTTP_BODY_TIMEOUT", "0s", "longer than 0"),
        ("VNA_POLICY_AUTHORIZATION_TTL", "0s", "longer than 0"),
        ("VNA_POLICY_REVERSALS", "yes", "neither true nor false"),
        ("VNA_POLICY_CURRENCIES", "MXN,mxn", "`mxn` is not an active ISO 4217"),
        ("VNA_POLICY_CURRENCIES", "MXN,", "is not an active ISO 4217"),
        ("VNA_POLICY_ENROLMENT_CURRENCY", "PESO", "is not an active ISO 4217"),
        ("VNA_ACCOUNTS_DISPLAY_PREFIX", "TOOLONG", "1 to 5 letters or digits"),
        ("VNA_ACCOUNTS_DISPLAY_PREFIX", "M-C", "1 to 5 letters or digits"),
        ("VNA_LOG_FORMAT", "xml", "expected one of `auto`, `json`, `text`"),
        ("VNA_LOG_FILTER", "info,=", "not a log filter"),
    ] {
        refused(from_variables(&[(variable, value)]), problem);
        refused(from_variables(&[(variable, value)]), variable);
    }
    refused(
        from_variables(&[("VNA_POLICY_CURRENCIES", "MXN"), ("VNA_POLICY_ENROLMENT_CURRENCY", "USD")]),
        "`USD` is not one of `currencies`",
    );
}

#[test]
fn paths_and_addresses_lose_their_last_slash() {
    let base = |path: &str| from_variables(&[("VNA_BASE_PATH", path)]).unwrap().base_path;
    assert_eq!((base("/"), base("/v1/"), base("/a/b")), (String::new(), "/v1".to_owned(), "/a/b".to_owned()));
    let url = |text: &str| from_variables(&[("VNA_PUBLIC_URL", text)]).unwrap().public_url.unwrap();
    assert_eq!(url("https://wallet.example.com/vna/"), "https://wallet.example.com/vna");
    let lists = from_variables(&[("VNA_POLICY_CURRENCIES", " MXN , USD ")]).unwrap().policy.currencies;
    assert_eq!(lists.iter().map(|currency| currency.as_str()).collect::<Vec<_>>(), ["MXN", "USD"]);
    assert!(from_variables(&[("VNA_POLICY_CURRENCIES", "")]).unwrap().policy.currencies.is_empty());
}

#[test]
fn signing_keys_are_taken_as_their_text_stands() {
    let keys = |variables| -> Vec<Vec<u8>> {
        from_variables(variables).unwrap().signing_keys.iter().map(|key| key.bytes().to_vec()).collect()
    };
    assert_eq!(
        keys(&[("VNA_SIGNING_KEYS", "first-key-of-leap-1,=second key")]),
        [&b"first-key-of-leap-1"[..], b"=second key"]
    );
    for empty in ["", ",", " ", "first-key-of-leap-1,", "first-key-of-leap-1, ", "\t,first-key-of-leap-1"] {
        refused(from_variables(&[("VNA_SIGNING_KEYS", empty)]), "VNA_SIGNING_KEYS: key");
        refused(from_variables(&[("VNA_SIGNING_KEYS", empty)]), "is empty");
    }
    let warned = from_variables(&[("VNA_SIGNING_KEYS", "0123456789abcdef,short, 0123456789abcdef")]).unwrap().warnings;
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(warned[0].contains("key 2 is shorter than 16 bytes") && warned[1].contains("key 3 begins or ends"));
}

#[test]
fn a_secret_can_come_from_a_file_one_key_a_line() {
    let directory = directory();
    let load = |text: &str, variables: Variables<'_>| {
        std::fs::write(directory.path().join("secret"), text).unwrap();
        Settings::load(&Flags::default(), &Environment::new(directory.path(), variables.iter().copied()))
    };
    let named = [("VNA_SIGNING_KEYS_FILE", "secret")];
    let keys = load("\u{feff}first,key-of-leap\r\nsecond key of leap\n", &named).unwrap().signing_keys;
    assert_eq!(
        keys.iter().map(SigningKey::bytes).collect::<Vec<_>>(),
        [&b"first,key-of-leap"[..], b"second key of leap"]
    );
    refused(load("one\n\ntwo\n", &named), "VNA_SIGNING_KEYS_FILE: key 2 is empty");
    refused(load("", &named), "VNA_SIGNING_KEYS_FILE: key 1 is empty");
    refused(load("x", &[("VNA_SIGNING_KEYS_FILE", "none")]), "none cannot be read");
    refused(load("x", &[named[0], ("VNA_SIGNING_KEYS", "y")]), "both VNA_SIGNING_KEYS and VNA_SIGNING_KEYS_FILE");
    let url = load("postgres://u:p@h/d\n", &[("DATABASE_URL_FILE", "secret")]).unwrap().database_url;
    assert_eq!((url.expose(), url.kind()), ("postgres://u:p@h/d", DatabaseKind::Postgres));
    refused(load("x", &[("DATABASE_URL_FILE", "secret"), ("DATABASE_URL", "sqlite://a.db")]), "both DATABASE_URL and");
    let admins = load("ana=0123456789abcdef\n0123456789abcdeX\n", &[("VNA_ADMIN_KEYS_FILE", "secret")]).unwrap();
    assert_eq!(admins.admin_keys.len(), 2);
}

#[test]
fn admin_keys_have_the_name_that_is_given_or_one_made_of_their_hash() {
    let keys = |text: &str| from_variables(&[("VNA_ADMIN_KEYS", text)]).map(|settings| settings.admin_keys);
    let named = keys("ana@example.com=0123456789abcdef,abc").unwrap();
    assert_eq!((named[0].name.as_str(), named[0].key.expose_secret()), ("ana@example.com", "0123456789abcdef"));
    // SHA-256 of "abc" begins with ba7816bf (FIPS 180-2, B.1).
    assert_eq!((named[1].name.as_str(), named[1].key.expose_secret()), ("ba7816bf", "abc"));
    assert_eq!(keys("ana=0123456789abcdef==").unwrap()[0].key.expose_secret(), "0123456789abcdef==");
    for (text, problem) in [
        ("", "is empty"),
        ("ana=0123456789abcdef,", "is empty"),
        ("ana=", "ends in `=`"),
        ("c2VjcmV0c2VjcmV0==", "ends in `=`"),
        ("=0123456789abcdef", "no proper name"),
        ("ana maria=0123456789abcdef", "no proper name"),
        ("ana=0123 456789abcdef", "no HTTP header"),
        ("ana=0123456789abcdef,eva=0123456789abcdef", "the same as an earlier one"),
    ] {
        let settings = from_variables(&[("VNA_ADMIN_KEYS", text)]);
        refused(settings, problem);
    }
}

#[test]
fn no_secret_is_read_from_the_file_or_a_flag() {
    for key in ["signing_keys", "admin_keys"] {
        let variable = format!("VNA_{}", key.to_uppercase());
        refused(
            load(&format!("{key} = \"s3cret\""), &[]),
            &format!("is a secret and is not read from this file; set {variable}"),
        );
    }
    let with_flag = |url: &str| {
        let flags = Flags { database_url: Some(SecretString::from(url)), ..Flags::default() };
        Settings::load(&flags, &Environment::new(directory().path(), []))
    };
    for url in [
        "postgres://u:s3cret@h/d",
        "postgres://h/d?user=u&password=s3cret",
        "postgres//u:s3cret@h",
        "postgres://:s3cret@[/d",
    ] {
        refused(with_flag(url), "DATABASE_URL_FILE");
        assert!(!with_flag(url).unwrap_err().to_string().contains("s3cret"));
    }
    assert!(with_flag("postgres://u@h/d").is_ok() && with_flag("sqlite:///var/lib/vna/a.db").is_ok());
    refused(with_flag("mysql://h/d"), "it is no database address");
    refused(with_flag("sqlite://"), "it is no database address");
}

#[test]
fn a_database_that_is_lost_at_exit_is_refused() {
    for url in [
        "sqlite::memory:",
        "sqlite://:memory:",
        "sqlite::memory:?cache=shared",
        "sqlite://a.db?cache=shared&mode=memory",
    ] {
        refused(from_variables(&[("DATABASE_URL", url)]), "DATABASE_URL: it is a database in memory");
    }
    assert!(from_variables(&[("DATABASE_URL", "sqlite://memory.db?mode=rwc")]).is_ok());
}

#[test]
fn a_file_that_would_not_be_opened_as_the_server_opens_it_is_refused() {
    for parameters in ["mode=ro", "vfs=unix-dotfile", "mode=rw&immutable=1"] {
        let url = format!("sqlite://a.db?{parameters}");
        refused(from_variables(&[("DATABASE_URL", &url)]), "DATABASE_URL: a file of SQLite's takes no parameter but");
    }
}

#[test]
fn nothing_prints_a_secret() {
    let secrets = [
        ("VNA_SIGNING_KEYS", "s3cret-of-leap-0001"),
        ("VNA_ADMIN_KEYS", "ana=s3cret-of-ana-00001"),
        ("DATABASE_URL", "postgres://user:s3cret@db.example.com:5433/vna?password=s3cret"),
    ];
    let settings = from_variables(&secrets).unwrap();
    assert!(!format!("{settings:?}").contains("s3cret"));
    assert_eq!(settings.database_url.to_string(), "postgres://db.example.com:5433/vna");
    assert!(!format!("{:?}", Environment::new(Path::new(""), secrets)).contains("s3cret"));
    let flags = Flags { database_url: Some("postgres://user:s3cret@h/d".into()), ..Flags::default() };
    assert!(!format!("{flags:?}").contains("s3cret"));
    for not_encoded in
        ["s3cret", "postgres://user:12/s3cret@h/d", "postgres://user:/s3cret@h/d", "postgres://u@s3cret/@h/d"]
    {
        refused(from_variables(&[("DATABASE_URL", not_encoded)]), "DATABASE_URL: it is no database address");
    }
    assert!(from_variables(&[("DATABASE_URL", "postgres://user:12%2Fs3cret%40@h/d")]).is_ok());
    for (variable, value) in [("VNA_ADMIN_KEYS", "ana maria=s3cret"), ("VNA_SIGNING_KEYS", "s3cret,")] {
        assert!(!from_variables(&[(variable, value)]).unwrap_err().to_string().contains("s3cret"));
    }
}

#[cfg(unix)]
#[test]
fn a_variable_of_ours_that_is_no_text_is_refused() {
    let unreadable = |name: &str| {
        let environment = Environment { unreadable: vec![name.to_owned()], ..Environment::new(directory().path(), []) };
        Settings::load(&Flags::default(), &environment)
    };
    refused(unreadable("VNA_SIGNING_KEYS"), "VNA_SIGNING_KEYS is not UTF-8");
    refused(unreadable("VNA_SIGNINGKEYS"), "unknown environment variable VNA_SIGNINGKEYS");
    assert!(unreadable("LS_COLORS").is_ok());
}

#[test]
fn the_page_on_settings_names_every_key() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md")).unwrap();
    for (table, key, _) in CHANGED {
        let named = if table == "policy" { format!("### `{key} = ") } else { format!("`{key}`") };
        assert!(page.contains(&named), "docs/settings.md does not describe {key} of [{table}]");
    }
}
