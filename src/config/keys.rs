//! The keys that sign Leap's calls and those that open the admin API.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::sources::{Given, Layers, Problem};

/// Shorter keys can be guessed; they are still taken, as the other side may have chosen them.
const SHORTEST_SAFE_KEY: usize = 16;

/// The longest name of an admin key: it stands in every record of what an operator did.
const LONGEST_NAME: usize = 64;

/// One key that Leap may sign with.
#[derive(Clone)]
pub struct SigningKey(SecretString);

impl SigningKey {
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The key as the text stands.
    pub fn bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(hidden)")
    }
}

/// One key of the admin API.
#[derive(Clone)]
pub struct AdminKey {
    /// The "who" in every record of what is done with this key.
    pub name: String,
    pub key: SecretString,
}

impl fmt::Debug for AdminKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminKey").field("name", &self.name).finish_non_exhaustive()
    }
}

type WithWarnings<T> = (Vec<T>, Vec<String>);

/// `VNA_SIGNING_KEYS`, and a warning for each that is short or begins or ends with a space.
pub(super) fn signing_keys(layers: &Layers) -> Result<WithWarnings<SigningKey>, Problem> {
    let Some(given) = layers.secret("VNA_SIGNING_KEYS") else { return Ok((Vec::new(), Vec::new())) };
    let mut warnings = Vec::new();
    let mut keys = Vec::new();
    for (index, text) in split(given).enumerate() {
        let which = format!("{}: key {}", given.place, index + 1);
        if text.trim().is_empty() {
            return Err(wrong(given, index, "is empty; remove the extra comma or line"));
        }
        warn_if_short(&which, text, &mut warnings);
        if text.trim() != text {
            warnings.push(format!("{which} begins or ends with a space, which is taken as a part of it"));
        }
        keys.push(SigningKey::new(text));
    }
    if keys.is_empty() {
        return Err(wrong(given, 0, "is empty; put the key that Leap handed over there"));
    }
    Ok((keys, warnings))
}

/// `VNA_ADMIN_KEYS`, and a warning for each that is short.
pub(super) fn admin_keys(layers: &Layers) -> Result<WithWarnings<AdminKey>, Problem> {
    let Some(given) = layers.secret("VNA_ADMIN_KEYS") else { return Ok((Vec::new(), Vec::new())) };
    let mut warnings = Vec::new();
    let mut keys: Vec<AdminKey> = Vec::new();
    for (index, text) in split(given).enumerate() {
        let (name, key) = match text.split_once('=') {
            // Base64 ends in `=`: taken for a name it would leave a key that anybody can guess.
            Some((_, rest)) if rest.bytes().all(|byte| byte == b'=') => {
                return Err(wrong(given, index, "ends in `=`; write it as name=key"));
            }
            Some((name, key)) => (name.trim().to_owned(), key),
            None => (fingerprint(text), text),
        };
        if key.trim().is_empty() {
            return Err(wrong(given, index, "is empty; remove the extra comma or line"));
        }
        // The key is compared with an HTTP header's value, which can hold nothing else.
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong(given, index, "holds a space or a character that no HTTP header can carry"));
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_name) {
            return Err(wrong(given, index, "has no proper name: 1 to 64 letters, digits, `.`, `_`, `@` or `-`"));
        }
        if keys.iter().any(|other| other.key.expose_secret() == key) {
            return Err(wrong(given, index, "is the same as an earlier one, so nobody could tell who used it"));
        }
        warn_if_short(&format!("{}: key {}", given.place, index + 1), key, &mut warnings);
        keys.push(AdminKey { name, key: key.into() });
    }
    if keys.is_empty() {
        return Err(wrong(given, 0, "is empty; remove the setting to switch the admin API off"));
    }
    Ok((keys, warnings))
}

/// A list in a variable is comma-separated; in a file it is one a line.
fn split(given: &Given) -> Box<dyn Iterator<Item = &str> + '_> {
    let text = given.text.expose_secret();
    if given.place.ends_with("_FILE") { Box::new(text.lines()) } else { Box::new(text.split(',')) }
}

fn warn_if_short(which: &str, key: &str, warnings: &mut Vec<String>) {
    if key.len() < SHORTEST_SAFE_KEY {
        warnings.push(format!(
            "{which} is shorter than {SHORTEST_SAFE_KEY} bytes and can be guessed; ask for a longer one"
        ));
    }
}

fn wrong(given: &Given, index: usize, problem: &str) -> Problem {
    Problem::Wrong { place: given.place.clone(), problem: format!("key {} {problem}", index + 1) }
}

fn fingerprint(key: &str) -> String {
    hex::encode(Sha256::digest(key.as_bytes()).get(..4).unwrap_or_default())
}
