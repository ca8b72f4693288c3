//! Request bodies with sensible defaults. Numbers are written as the text they are given as, never through a float.

use serde_json::{Map, Value, json};

/// A JSON object, member by member, in order.
#[derive(Debug, Clone, Default)]
pub struct Body {
    /// Name and the value's JSON text.
    members: Vec<(String, String)>,
}

/// TxAuthorization of 100.00 MXN from Luis to Ana, whose account Leap does not know.
pub fn authorization() -> Body {
    Body::default()
        .with("SenderPersonalData", luis())
        .with("ReceiverPersonalData", ana())
        .with("AccountIdentifier", Value::Null)
        .amount("100.00")
        .currency("MXN")
        .rate("18.4512")
}

/// TxAuthorization as version 1.0 sent it before its additions.
pub fn authorization_v1() -> Body {
    Body::default().with("PersonalData", ana()).with("AccountIdentifier", Value::Null).amount("100.00")
}

/// CreditFunds that names its authorization and nothing else.
pub fn credit(account: &str, authorization: &str) -> Body {
    Body::default().to(account).with("AuthTrackingIdentifier", json!(authorization))
}

/// CreditFunds of 100.00 MXN that names no authorization.
pub fn unreferenced_credit(account: &str) -> Body {
    Body::default().to(account).amount("100.00").currency("MXN").rate("18.4512")
}

/// ReverseCreditFunds.
pub fn reversal(account: &str, credit: &str) -> Body {
    Body::default().to(account).with("CreditTrackingNumber", json!(credit))
}

/// GetCreditStatus.
pub fn status(account: &str, credit: &str) -> Body {
    reversal(account, credit)
}

/// CreateAccount in MXN for a person without documents.
pub fn new_account(person: Person) -> Body {
    Body::default()
        .with("PersonalData", person)
        .with("PersonalDocuments", json!([]))
        .amount("100.00")
        .currency("MXN")
        .rate("18.4512")
}

/// GetCreateAccountUrl for a person without documents.
pub fn enrolment(person: Person) -> Body {
    Body::default().with("PersonalData", person).with("PersonalDocuments", json!([]))
}

impl Body {
    /// Sets a member, in its place if it is there.
    pub fn with(self, name: &str, value: impl Into<Value>) -> Self {
        self.raw(name, &value.into().to_string())
    }

    /// Sets a member to a JSON text, which need not be valid.
    pub fn raw(mut self, name: &str, json: &str) -> Self {
        match self.members.iter_mut().find(|(known, _)| known == name) {
            Some((_, value)) => *value = json.to_owned(),
            None => self.members.push((name.to_owned(), json.to_owned())),
        }
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.members.retain(|(known, _)| known != name);
        self
    }

    /// `AccountIdentifier`.
    pub fn to(self, account: &str) -> Self {
        self.with("AccountIdentifier", account)
    }

    /// `Amount`, as a JSON number's text.
    pub fn amount(self, number: &str) -> Self {
        self.raw("Amount", number)
    }

    pub fn currency(self, code: &str) -> Self {
        self.with("Currency", code)
    }

    /// `ExchangeRate`, as a JSON number's text.
    pub fn rate(self, number: &str) -> Self {
        self.raw("ExchangeRate", number)
    }

    pub fn sender(self, person: Person) -> Self {
        self.with("SenderPersonalData", person)
    }

    pub fn receiver(self, person: Person) -> Self {
        self.with("ReceiverPersonalData", person)
    }

    /// One of `PersonalDocuments`, after those that are there.
    pub fn document(self, kind: &str, number: &str) -> Self {
        let listed = self.members.iter().find(|(name, _)| name == "PersonalDocuments");
        let mut documents: Vec<Value> =
            listed.and_then(|(_, text)| serde_json::from_str(text).ok()).unwrap_or_default();
        documents.push(json!({"DocumentType": kind, "Number": number}));
        self.with("PersonalDocuments", documents)
    }

    /// The body as it is sent.
    pub fn text(&self) -> String {
        let members: Vec<String> =
            self.members.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str()))).collect();
        format!("{{{}}}", members.join(","))
    }
}

/// The contract's PersonalData.
#[derive(Debug, Clone)]
pub struct Person(Map<String, Value>);

/// The receiver in every default.
pub fn ana() -> Person {
    person("Ana", "López", "+525555123456")
}

/// The sender in every default.
pub fn luis() -> Person {
    person("Luis", "Ortega", "+13125550142").with("BirthDate", "1984-07-30").with(
        "Address",
        json!({"Address1": "1200 W Fulton Market", "ZipCode": "60607", "City": "Chicago", "CountryCode": "US",
            "StateCode": "IL"}),
    )
}

/// Somebody born on 1990-01-31 who lives in Mexico City.
pub fn person(first: &str, last: &str, phone: &str) -> Person {
    let data = json!({"PhoneNumber": phone, "FirstName": first, "LastName": last, "Gender": "None",
        "BirthDate": "1990-01-31", "Address": {"Address1": "Calle Durango 12", "ZipCode": "06700",
        "City": "Ciudad de México", "CountryCode": "MX", "StateCode": "CMX"}});
    match data {
        Value::Object(members) => Person(members),
        _ => unreachable!("an object was written"),
    }
}

/// One of many people who have nothing in common: the `number`th.
pub fn somebody(number: u32) -> Person {
    person("Persona", &format!("Número {number}"), &format!("+5255{:08}", 40_000_000 + number))
}

impl Person {
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0.insert(field.to_owned(), value.into());
        self
    }

    pub fn without(mut self, field: &str) -> Self {
        self.0.remove(field);
        self
    }

    /// A field of the address.
    pub fn living(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0["Address"][field] = value.into();
        self
    }

    pub fn born(self, date: &str) -> Self {
        self.with("BirthDate", date)
    }

    pub fn email(self, email: &str) -> Self {
        self.with("Email", email)
    }
}

impl From<Person> for Value {
    fn from(person: Person) -> Self {
        Value::Object(person.0)
    }
}
