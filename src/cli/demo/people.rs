//! Who appears in the story, in the contract's own spelling. The accounts are those of `seeds/demo.json`.

/// The account whose tier allows one remittance a day.
pub const ONE_A_DAY: &str = "4000000000030074";
/// The account that a court has blocked.
pub const BLOCKED_BY_LAW: &str = "4000000000030025";
/// An ordinary account, for whoever goes on trying.
pub const ORDINARY: &str = "4000000000001234";

pub const SENDER: &str = r#"{"PhoneNumber":"+13125550142","FirstName":"Luis","LastName":"Ortega","Gender":"Male","BirthDate":"1984-07-30","Address":{"Address1":"1200 W Fulton Market","ZipCode":"60607","City":"Chicago","CountryCode":"US","StateCode":"IL"}}"#;

/// Has no account when the story begins.
pub const PERSON_NEW: &str = r#"{"PhoneNumber":"+525587654321","FirstName":"Sofía","LastName":"Ramírez","LastName2":"Cruz","Gender":"Female","BirthDate":"1992-08-19","Address":{"Address1":"Calle Orizaba 45","ZipCode":"06700","City":"Ciudad de México","CountryCode":"MX","StateCode":"CMX"}}"#;

/// Has none either, and gets a link.
pub const PERSON_ENROLLING: &str = r#"{"PhoneNumber":"+525543219876","FirstName":"Mateo","LastName":"Vargas","Gender":"Male","BirthDate":"1987-05-23","Address":{"Address1":"Calle Tonalá 78","ZipCode":"06700","City":"Ciudad de México","CountryCode":"MX","StateCode":"CMX"}}"#;

pub const PERSON_ORDINARY: &str = r#"{"PhoneNumber":"+525555123456","FirstName":"Ana","LastName":"López","Gender":"Female","BirthDate":"1990-01-31","Address":{"Address1":"Calle Durango 12","ZipCode":"06700","City":"Ciudad de México","CountryCode":"MX","StateCode":"CMX"}}"#;

pub const PERSON_VELOCITY: &str = r#"{"PhoneNumber":"+525555000307","FirstName":"Helena","LastName":"Juárez","Gender":"Female","BirthDate":"1991-10-30","Address":{"Address1":"Calle Colima 307","ZipCode":"06700","City":"Ciudad de México","CountryCode":"MX","StateCode":"CMX"}}"#;

pub const PERSON_BLOCKED: &str = r#"{"PhoneNumber":"+525555000302","FirstName":"Carlos","LastName":"Domínguez","Gender":"Male","BirthDate":"1975-02-27","Address":{"Address1":"Calle Colima 302","ZipCode":"06700","City":"Ciudad de México","CountryCode":"MX","StateCode":"CMX"}}"#;
