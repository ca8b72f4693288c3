//! Where a setting's text comes from, and which text counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};
use toml::de::DeValue;

use super::{DEFAULTS, Environment, Flags};
use crate::toml_text::{Mistake, Source};

/// The settings that come from the environment alone.
const SECRETS: [&str; 3] = ["VNA_SIGNING_KEYS", "VNA_ADMIN_KEYS", "VNA_COPY_FROM"];

/// What is wrong with the settings. Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("{place}: {problem}")]
    Wrong { place: String, problem: String },
    #[error("{0}")]
    InFile(#[from] Mistake),
    #[error("{what} {path} cannot be read: {why}", path = path.display())]
    Unreadable { what: String, path: PathBuf, why: String },
    #[error(
        "unknown environment variable {0}; every VNA_ variable names a key of vna.default.toml, check its spelling"
    )]
    UnknownVariable(String),
    #[error("the environment variable {0} is not UTF-8")]
    NotUtf8(String),
    #[error("both {0} and {0}_FILE are set; keep one of them")]
    SetTwice(String),
}

/// A setting's text and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub text: SecretString,
    pub place: String,
}

/// What a key's value looks like in TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Whole,
    YesOrNo,
    List,
}

/// Table (empty at the top) and name.
type Key = (String, String);
type Values = BTreeMap<Key, Given>;
type Forms = BTreeMap<Key, Form>;

/// The text that counts for every key, and the secrets.
#[derive(Debug)]
pub(super) struct Layers {
    values: Values,
    secrets: BTreeMap<&'static str, Given>,
}

impl Layers {
    /// Lays the sources over each other, the weakest first.
    pub(super) fn read(flags: &Flags, environment: &Environment) -> Result<Self, Problem> {
        let defaults = Source { name: "vna.default.toml", text: DEFAULTS };
        let (mut values, forms) = file_values(defaults, None)?;
        if let Some((path, text)) = settings_file(flags, environment)? {
            let name = path.display().to_string();
            values.extend(file_values(Source { name: &name, text: &text }, Some(&forms))?.0);
        }
        let mut known = BTreeSet::from(["VNA_CONFIG".to_owned()]);
        for key in forms.keys() {
            let variable = variable_of(key);
            // The database's address may hold a password, so it can come from a file like the other secrets.
            let given = if variable == "DATABASE_URL" {
                environment.secret(&variable)?
            } else {
                environment.plain(&variable)?
            };
            values.extend(given.map(|given| (key.clone(), given)));
            known.insert(variable);
        }
        let mut secrets = BTreeMap::new();
        for variable in SECRETS {
            secrets.extend(environment.secret(variable)?.map(|given| (variable, given)));
            known.extend([variable.to_owned(), file_twin(variable)]);
        }
        environment.refuse_unknown(&known)?;
        values.extend(flag_values(flags)?);
        Ok(Self { values, secrets })
    }

    #[expect(clippy::panic, reason = "the list of keys is embedded: only a misspelt key in this module can miss it")]
    fn given(&self, table: &str, key: &str) -> &Given {
        let known = self.values.get(&(table.to_owned(), key.to_owned()));
        known.unwrap_or_else(|| panic!("vna.default.toml names {key} in [{table}]"))
    }

    /// One of [`SECRETS`], if it is set.
    pub(super) fn secret(&self, variable: &str) -> Option<&Given> {
        self.secrets.get(variable)
    }

    pub(super) fn read_with<T>(
        &self,
        table: &str,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Problem> {
        read(self.given(table, key).text.expose_secret()).map_err(|problem| self.wrong(table, key, &problem))
    }

    /// `None` where the text is empty.
    pub(super) fn read_optional<T>(
        &self,
        table: &str,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        self.read_with(table, key, |text| if text.is_empty() { Ok(None) } else { read(text).map(Some) })
    }

    pub(super) fn read_list<T>(
        &self,
        table: &str,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Problem> {
        self.read_with(table, key, |text| {
            if text.trim().is_empty() {
                Ok(Vec::new())
            } else {
                text.split(',').map(|item| read(item.trim())).collect()
            }
        })
    }

    /// One of an enum's names.
    pub(super) fn choice<T: DeserializeOwned>(&self, table: &str, key: &str) -> Result<T, Problem> {
        self.read_with(table, key, |text| {
            let deserializer: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
            T::deserialize(deserializer).map_err(|error| error.to_string().replace("variant", "value"))
        })
    }

    pub(super) fn wrong(&self, table: &str, key: &str, problem: &str) -> Problem {
        Problem::Wrong { place: self.given(table, key).place.clone(), problem: problem.to_owned() }
    }
}

impl Environment {
    fn plain(&self, variable: &str) -> Result<Option<Given>, Problem> {
        if self.unreadable.iter().any(|name| name == variable) {
            return Err(Problem::NotUtf8(variable.to_owned()));
        }
        Ok(self.variables.get(variable).map(|text| Given { text: text.clone(), place: variable.to_owned() }))
    }

    /// A variable, or the file that its `_FILE` twin names.
    fn secret(&self, variable: &str) -> Result<Option<Given>, Problem> {
        let twin = file_twin(variable);
        match (self.plain(variable)?, self.plain(&twin)?) {
            (Some(_), Some(_)) => Err(Problem::SetTwice(variable.to_owned())),
            (given, None) => Ok(given),
            (None, Some(file)) => {
                let path = self.directory.join(file.text.expose_secret());
                let text = read_file(&twin, &path)?;
                // Editors on Windows put an invisible mark in front, which would silently become a part of the key.
                let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
                Ok(Some(Given { text: text.into(), place: twin }))
            }
        }
    }

    fn refuse_unknown(&self, known: &BTreeSet<String>) -> Result<(), Problem> {
        let ours = self.variables.keys().chain(&self.unreadable).filter(|name| name.starts_with("VNA_"));
        match ours.into_iter().find(|name| !known.contains(*name)) {
            Some(name) => Err(Problem::UnknownVariable(name.clone())),
            None => Ok(()),
        }
    }
}

fn file_twin(variable: &str) -> String {
    format!("{variable}_FILE")
}

fn variable_of((table, key): &Key) -> String {
    match (table.as_str(), key.as_str()) {
        ("", "database_url") => "DATABASE_URL".to_owned(),
        ("", key) => format!("VNA_{}", key.to_ascii_uppercase()),
        (table, key) => format!("VNA_{}_{}", table.to_ascii_uppercase(), key.to_ascii_uppercase()),
    }
}

fn flag_values(flags: &Flags) -> Result<Vec<(Key, Given)>, Problem> {
    let path = |path: &PathBuf| SecretString::from(path.to_string_lossy().into_owned());
    let text = |text: &String| SecretString::from(text.as_str());
    if let Some(url) = &flags.database_url {
        super::database::refuse_password("--database-url", url, "DATABASE_URL")?;
    }
    let given = [
        ("database_url", "--database-url", flags.database_url.clone()),
        ("bind", "--bind", flags.bind.as_ref().map(text)),
        ("base_path", "--base-path", flags.base_path.as_ref().map(text)),
        ("public_url", "--public-url", flags.public_url.as_ref().map(text)),
        ("rules", "--rules", flags.rules.as_ref().map(path)),
    ];
    let values = given.into_iter().filter_map(|(key, place, text)| {
        Some(((String::new(), key.to_owned()), Given { text: text?, place: place.to_owned() }))
    });
    Ok(values.collect())
}

/// The settings file's path and text: the one that is named must be there, `vna.toml` may be.
fn settings_file(flags: &Flags, environment: &Environment) -> Result<Option<(PathBuf, String)>, Problem> {
    let named = match (&flags.config, environment.plain("VNA_CONFIG")?) {
        (Some(path), _) => Some(path.clone()),
        (None, Some(given)) => Some(PathBuf::from(given.text.expose_secret())),
        (None, None) => None,
    };
    let path = environment.directory.join(named.as_deref().unwrap_or(Path::new("vna.toml")));
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable("the settings file", &path, &error)),
    }
}

fn read_file(what: &str, path: &Path) -> Result<String, Problem> {
    fs::read_to_string(path).map_err(|error| unreadable(&format!("{what}: the file"), path, &error))
}

fn unreadable(what: &str, path: &Path, error: &std::io::Error) -> Problem {
    Problem::Unreadable { what: what.to_owned(), path: path.to_owned(), why: error.to_string() }
}

/// All keys of a file. Against `known` every key must exist there in the same form; without it they make the list.
fn file_values(source: Source<'_>, known: Option<&Forms>) -> Result<(Values, Forms), Problem> {
    let mut values = BTreeMap::new();
    let mut forms = BTreeMap::new();
    let mut take = |table: &str, key: &toml::Spanned<_>, value: &toml::Spanned<DeValue<'_>>| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        let at = (table.to_owned(), name.to_string());
        if let Some(known) = known
            && !known.contains_key(&at)
        {
            return Err(source.mistake(&key.span(), unknown_key(table, name, known)));
        }
        let (form, text) = plain_value(value.get_ref())
            .filter(|(form, _)| known.is_none_or(|known| known.get(&at) == Some(form)))
            .ok_or_else(|| {
                let wanted = known.and_then(|known| known.get(&at)).map_or("a plain value", |form| form.name());
                source.mistake(&value.span(), format!("`{name}` must be {wanted}"))
            })?;
        let mistake = source.mistake(&key.span(), name);
        let place = format!("{}:{}: {name}", mistake.file, mistake.line);
        values.insert(at.clone(), Given { text: text.into(), place });
        forms.insert(at, form);
        Ok(())
    };
    for (key, value) in &source.parse()? {
        match value.get_ref() {
            DeValue::Table(table) => {
                let is_known = known.is_none_or(|known| known.keys().any(|(table, _)| table == key.get_ref()));
                if !is_known {
                    let problem =
                        match known.filter(|known| known.contains_key(&(String::new(), key.get_ref().to_string()))) {
                            Some(_) => format!("`{}` is a key, not a table", key.get_ref()),
                            None => format!("unknown table [{}]; the tables are {}", key.get_ref(), tables(known)),
                        };
                    return Err(source.mistake(&key.span(), problem).into());
                }
                for (inner, value) in table {
                    take(key.get_ref(), inner, value)?;
                }
            }
            _ => take("", key, value)?,
        }
    }
    Ok((values, forms))
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "a text in quotes",
            Self::Whole => "a whole number",
            Self::YesOrNo => "true or false, without quotes",
            Self::List => "a list of texts, as [\"MXN\", \"USD\"]",
        }
    }
}

fn plain_value(value: &DeValue<'_>) -> Option<(Form, String)> {
    match value {
        DeValue::String(text) => Some((Form::Text, text.to_string())),
        DeValue::Integer(number) if number.radix() == 10 => Some((Form::Whole, number.as_str().to_owned())),
        DeValue::Boolean(value) => Some((Form::YesOrNo, value.to_string())),
        DeValue::Array(items) => {
            let texts: Option<Vec<_>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            Some((Form::List, texts?.join(",")))
        }
        _ => None,
    }
}

fn unknown_key(table: &str, name: &str, known: &Forms) -> String {
    let variable = variable_of(&(table.to_owned(), name.to_owned()));
    if SECRETS.contains(&variable.as_str()) {
        return format!("`{name}` is a secret and is not read from this file; set {variable} or {variable}_FILE");
    }
    let keys: Vec<_> = known.keys().filter(|(of, _)| of == table).map(|(_, key)| key.as_str()).collect();
    let (whose, keys) =
        (if table.is_empty() { "at the top".to_owned() } else { format!("in [{table}]") }, keys.join(", "));
    format!("unknown key `{name}` {whose}; the keys there are {keys}")
}

fn tables(known: Option<&Forms>) -> String {
    let names: BTreeSet<_> = known.iter().flat_map(|known| known.keys()).map(|(table, _)| table.as_str()).collect();
    names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ")
}
