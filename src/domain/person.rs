//! Holders and senders: the contract's PersonalData once it has been checked, and who is the same person.

use std::collections::BTreeSet;
use std::fmt;

use chrono::NaiveDate;
use compact_str::{CompactString, format_compact};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::ids::PersonId;

/// PersonalData whose required fields are present and sound (contract.md, PersonalData; decision 4).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PersonalData {
    /// As sent.
    pub phone_number: Option<CompactString>,
    pub email: Option<CompactString>,
    pub first_name: CompactString,
    pub middle_name: Option<CompactString>,
    pub last_name: CompactString,
    pub last_name2: Option<CompactString>,
    pub gender: Gender,
    pub birth_date: NaiveDate,
    pub address: Address,
}

impl fmt::Debug for PersonalData {
    /// Nothing of it: a person's data belong in no log and no error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonalData(..)")
    }
}

impl PersonalData {
    /// The phone as a directory finds it: E.164 where it can be normalised, else as sent.
    pub fn phone_key(&self) -> Option<String> {
        self.phone_number.as_deref().map(|phone| normalise_phone(phone, &self.address.country_code))
    }

    pub fn email_key(&self) -> Option<String> {
        self.email.as_deref().map(|email| email.trim().to_lowercase())
    }

    /// The name that rules count a sender by: phone, else email, with the birth date.
    pub fn sender_key(&self) -> Option<SenderKey> {
        let contact = self.phone_key().or_else(|| self.email_key())?;
        Some(SenderKey(format_compact!("{contact}|{}", self.birth_date)))
    }
}

/// A sender as rules count them.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SenderKey(CompactString);

impl SenderKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SenderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SenderKey(..)")
    }
}

/// `Address` of the contract; the codes are kept as sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Address {
    pub address1: CompactString,
    pub address2: Option<CompactString>,
    pub zip_code: CompactString,
    pub city: CompactString,
    /// ISO 3166-1 alpha-2.
    pub country_code: CompactString,
    /// The subdivision part of ISO 3166-2, one to three characters.
    pub state_code: CompactString,
}

/// `Gender` of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gender {
    Male,
    Female,
    Other,
    None,
}

/// `DocumentType` of the contract, with its .NET number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DocumentType {
    Passport,
    StateId,
    ResidentCard,
    DriverLicense,
    SocialSecurityNumber,
    #[serde(rename = "INE_IFE")]
    IneIfe,
    ConsularId,
    #[serde(rename = "ITIN")]
    Itin,
}

impl DocumentType {
    /// Every type with its name and its number in .NET (openapi/vna.yaml).
    pub const ALL: [(Self, &'static str, i64); 8] = [
        (Self::Passport, "Passport", 1),
        (Self::StateId, "StateId", 3),
        (Self::ResidentCard, "ResidentCard", 4),
        (Self::DriverLicense, "DriverLicense", 6),
        (Self::SocialSecurityNumber, "SocialSecurityNumber", 11),
        (Self::IneIfe, "INE_IFE", 14),
        (Self::ConsularId, "ConsularId", 15),
        (Self::Itin, "ITIN", 16),
    ];

    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, _)| name)
    }

    /// Whether its number alone, with the birth date, names one person (decision 4).
    fn is_personal_number(self) -> bool {
        matches!(self, Self::SocialSecurityNumber | Self::Itin | Self::IneIfe)
    }
}

/// One of `PersonalDocuments`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    pub document_type: DocumentType,
    /// As sent.
    pub number: CompactString,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({})", self.document_type.as_str())
    }
}

impl Document {
    /// Type and number without spacing, punctuation and case: people write the same number in many ways.
    pub fn key(&self) -> String {
        format!("{}:{}", self.document_type.as_str(), self.bare_number())
    }

    fn bare_number(&self) -> String {
        self.number.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect()
    }

    /// As the `0` and `N/A` of somebody who has no personal number: many share it, so nobody is found by it.
    fn stands_for_no_number(&self) -> bool {
        self.document_type.is_personal_number() && !self.has_the_form_of_a_personal_number()
    }

    fn has_the_form_of_a_personal_number(&self) -> bool {
        let number = self.bare_number();
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        let is_one_character_over_and_over = number.chars().all(|c| number.starts_with(c));
        let has_its_length = match self.document_type {
            // From the nine digits of a card's CIC to the 18 characters of a voter's key, eleven of them digits.
            DocumentType::IneIfe => digits >= 9 && number.len() <= 18,
            // Nine digits: an ITIN is formatted like an SSN (IRS Publication 1915).
            _ => digits == 9 && number.len() == 9,
        };
        has_its_length && number.is_ascii() && !is_one_character_over_and_over
    }
}

/// What a person can be looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectoryKind {
    Phone,
    Email,
    Document,
}

impl DirectoryKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Document => "document",
        }
    }
}

/// One look-up value of the directory.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DirectoryKey {
    pub kind: DirectoryKind,
    pub value: String,
}

impl fmt::Debug for DirectoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DirectoryKey({:?})", self.kind)
    }
}

/// A holder as the directory knows them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: PersonId,
    /// As first given.
    pub data: PersonalData,
    /// As first given, and what later calls added.
    pub documents: Vec<Document>,
    /// Every value this person is found by.
    pub keys: BTreeSet<DirectoryKey>,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Person({})", self.id)
    }
}

impl Person {
    pub fn new(id: PersonId, data: PersonalData, documents: Vec<Document>) -> Self {
        let keys = directory_keys(&data, &documents);
        Self { id, data, documents, keys }
    }

    /// Decision 4: the same birth date, and either the same name with a phone, email or document in common, or the
    /// same SSN, ITIN or INE number.
    pub fn is_same(&self, data: &PersonalData, documents: &[Document]) -> bool {
        if self.data.birth_date != data.birth_date {
            return false;
        }
        let shares_number = self.shares_personal_number(documents);
        let shares_a_key = directory_keys(data, documents).iter().any(|key| self.keys.contains(key));
        shares_number || (shares_a_key && has_same_name(&self.data, data))
    }

    /// Whether nothing in `data`, contacts apart, differs from what is known of this person. Second names may be missing.
    pub fn agrees_with(&self, data: &PersonalData) -> bool {
        self.data.birth_date == data.birth_date
            && self.data.gender == data.gender
            && self.data.address == data.address
            && has_same_name(&self.data, data)
    }

    /// Another birth date under the same SSN, ITIN or INE number (decision 11): one of the two is wrong.
    pub fn contradicts(&self, data: &PersonalData, documents: &[Document]) -> bool {
        self.data.birth_date != data.birth_date && self.shares_personal_number(documents)
    }

    fn shares_personal_number(&self, documents: &[Document]) -> bool {
        documents
            .iter()
            .filter(|document| document.document_type.is_personal_number())
            .any(|document| self.keys.contains(&document_key(document)))
    }
}

/// Every value under which `data` and `documents` are to be found.
pub fn directory_keys(data: &PersonalData, documents: &[Document]) -> BTreeSet<DirectoryKey> {
    let phone = data.phone_key().map(|value| DirectoryKey { kind: DirectoryKind::Phone, value });
    let email = data.email_key().map(|value| DirectoryKey { kind: DirectoryKind::Email, value });
    let numbered = documents.iter().filter(|document| !document.stands_for_no_number());
    phone.into_iter().chain(email).chain(numbered.map(document_key)).collect()
}

fn document_key(document: &Document) -> DirectoryKey {
    DirectoryKey { kind: DirectoryKind::Document, value: document.key() }
}

fn has_same_name(one: &PersonalData, other: &PersonalData) -> bool {
    let both = |one: &Option<CompactString>, other: &Option<CompactString>| match (one, other) {
        (Some(one), Some(other)) => fold_name(one) == fold_name(other),
        _ => true,
    };
    fold_name(&one.first_name) == fold_name(&other.first_name)
        && fold_name(&one.last_name) == fold_name(&other.last_name)
        && both(&one.middle_name, &other.middle_name)
        && both(&one.last_name2, &other.last_name2)
}

/// A name without case, accents and superfluous spacing: `  José  ANGEL ` is `jose angel`.
fn fold_name(name: &str) -> String {
    let plain: String = name.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// E.164 where the number is a valid one, seen from `country` (ISO 3166-1 alpha-2); else the text as sent.
fn normalise_phone(phone: &str, country: &str) -> String {
    let phone = phone.trim();
    if stays_as_it_is(phone) { phone.to_owned() } else { looked_up(phone, country) }
}

fn looked_up(phone: &str, country: &str) -> String {
    let region = Region::try_from(country).ok();
    match PHONE_NUMBER_UTIL.parse(phone, region) {
        Ok(number) if PHONE_NUMBER_UTIL.is_valid_number(&number) => {
            PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned()
        }
        _ => phone.to_owned(),
    }
}

/// Whether it is E.164 of a country that most senders and receivers live in, and where nothing that has this form is written
/// otherwise, valid or not. To find that out of all the world's numbering plans was a tenth of what the edge does for a call.
fn stays_as_it_is(phone: &str) -> bool {
    // North America, and Mexico.
    let national = phone.strip_prefix("+1").or_else(|| phone.strip_prefix("+52"));
    national.map(str::as_bytes).is_some_and(|digits| {
        matches!(digits, [b'2'..=b'9', ..]) && digits.len() == 10 && digits.iter().all(u8::is_ascii_digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn data(first: &str, last: &str, phone: &str) -> PersonalData {
        PersonalData {
            phone_number: Some(phone.into()),
            email: None,
            first_name: first.into(),
            middle_name: None,
            last_name: last.into(),
            last_name2: None,
            gender: Gender::None,
            birth_date: NaiveDate::from_ymd_opt(1990, 1, 31).unwrap(),
            address: Address {
                address1: "Calle 1".into(),
                address2: None,
                zip_code: "06600".into(),
                city: "CDMX".into(),
                country_code: "MX".into(),
                state_code: "CMX".into(),
            },
        }
    }

    fn person(data: PersonalData, documents: Vec<Document>) -> Person {
        Person::new(PersonId(Uuid::nil()), data, documents)
    }

    fn document(document_type: DocumentType, number: &str) -> Document {
        Document { document_type, number: number.into() }
    }

    #[test]
    fn phones_meet_in_e164_whatever_way_they_are_written() {
        for phone in ["+525555123456", "55 5512 3456", "(55) 5512-3456", "+52 55 5512 3456"] {
            assert_eq!(normalise_phone(phone, "MX"), "+525555123456", "{phone}");
        }
        assert_eq!(normalise_phone(" 123 ", "MX"), "123", "what cannot be normalised stays as sent");
    }

    #[test]
    fn what_is_not_looked_up_would_have_been_found_to_stay_as_it_is() {
        for country in ["US", "CA", "BS", "MX", "none"] {
            for digits in (2_000_000_000..=9_999_999_999_u64).step_by(7_654_321) {
                for phone in [format!("+1{digits}"), format!("+52{digits}")] {
                    assert!(stays_as_it_is(&phone));
                    assert_eq!(looked_up(&phone, country), phone);
                }
            }
        }
        for phone in ["+11234567890", "+1234567890", "+123456789012", "+521555512345", "12345678901", "+1 2345678901"] {
            assert!(!stays_as_it_is(phone), "{phone}");
        }
    }

    #[test]
    fn case_accents_and_spacing_do_not_tell_people_apart() {
        let stored = person(data("José  Ángel", "NÚÑEZ", "+525555123456"), vec![]);
        assert!(stored.is_same(&data("jose angel", "Nunez", "5555123456"), &[]));
        assert!(!stored.is_same(&data("Jose", "Nunez", "5555123456"), &[]));
    }

    #[test]
    fn a_shared_phone_alone_is_a_family() {
        let stored = person(data("Ana", "Lopez", "+525555123456"), vec![]);
        assert!(!stored.is_same(&data("Luis", "Lopez", "+525555123456"), &[]));
    }

    #[test]
    fn second_names_count_only_where_both_sides_have_them() {
        let mut one = data("Ana", "Lopez", "+525555123456");
        one.last_name2 = Some("Ruiz".into());
        let stored = person(one.clone(), vec![]);
        assert!(stored.is_same(&data("Ana", "Lopez", "+525555123456"), &[]));
        one.last_name2 = Some("Vega".into());
        assert!(!stored.is_same(&one, &[]));
    }

    #[test]
    fn a_personal_number_names_one_person_and_another_birth_date_contradicts_it() {
        let stored = person(data("Ana", "Lopez", "+525555123456"), vec![document(DocumentType::Itin, "912-70-1234")]);
        let same_number = [document(DocumentType::Itin, "912701234")];
        let mut renamed = data("Ana Maria", "Ruiz", "+525599999999");
        assert!(stored.is_same(&renamed, &same_number));
        renamed.birth_date = NaiveDate::from_ymd_opt(1991, 1, 31).unwrap();
        assert!(!stored.is_same(&renamed, &same_number));
        assert!(stored.contradicts(&renamed, &same_number));
        let passport = [document(DocumentType::Passport, "912701234")];
        assert!(!stored.contradicts(&renamed, &passport));
    }

    #[test]
    fn nobody_is_found_by_what_stands_for_no_number() {
        use DocumentType::{IneIfe, Itin, SocialSecurityNumber};
        for (kind, number) in [
            (SocialSecurityNumber, "0"),
            (SocialSecurityNumber, "000-00-0000"),
            (SocialSecurityNumber, "N/A N/A N/A N/A"),
            (Itin, "12345678"),
            (Itin, "9127012345"),
            (IneIfe, "NA"),
            (IneIfe, "SIN NUMERO"),
            (IneIfe, "No disponible"),
            (IneIfe, "xXxXxXxXxXxXx"),
            (IneIfe, "1234567890123456789"),
        ] {
            let stored = person(data("Ana", "Lopez", "+525555123456"), vec![document(kind, number)]);
            assert_eq!(stored.keys.len(), 1, "the phone alone: {number}");
            let mut other = data("Ana", "Lopez", "+525555999999");
            assert!(!stored.is_same(&other, &[document(kind, number)]), "{number}");
            other.birth_date = NaiveDate::from_ymd_opt(1991, 1, 31).unwrap();
            assert!(!stored.contradicts(&other, &[document(kind, number)]), "{number}");
        }
        for (kind, number) in [
            (SocialSecurityNumber, "078-05-1120"),
            (Itin, "912 70 1234"),
            (IneIfe, "123456789"),
            (IneIfe, "LPANAA90013109M100"),
        ] {
            let stored = person(data("Ana", "Lopez", "+525555123456"), vec![document(kind, number)]);
            assert!(stored.is_same(&data("Ana", "Ruiz", "+525555999999"), &[document(kind, number)]), "{number}");
        }
    }
}
