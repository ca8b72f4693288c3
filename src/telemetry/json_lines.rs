//! A log line as one JSON object.
//!
//! `tracing_subscriber` has such a form, which reads a span's fields back from their text for every line. Each call has a
//! line, so that was a tenth of the edge (docs/adr/0024).

use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_serde::{AsSerde, SerdeMapVisitor};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::output::{Output, Urgency};

/// Writes each event with its fields, and the fields of the spans that it is in, outermost first. All stand side by side: no
/// span names a field as an event in it does.
pub struct JsonLines {
    output: Output,
}

/// A span's fields.
struct Fields(Map<String, Value>);

impl JsonLines {
    pub fn to(output: Output) -> Self {
        Self { output }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for JsonLines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Fields(fields(&Record::new(attributes.values()))));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(Fields(known)) = span.extensions_mut().get_mut()
        {
            known.extend(fields(values));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // What cannot be told as JSON has no line; no field of ours is such.
        if let Ok(line) = line(event, &context) {
            self.output.push(&line, Urgency::of(event.metadata()));
        }
    }
}

fn line<S>(event: &Event<'_>, context: &Context<'_, S>) -> serde_json::Result<Vec<u8>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // That of a request's answer is some 350 bytes long.
    let mut line = Vec::with_capacity(512);
    let mut json = serde_json::Serializer::new(&mut line);
    let mut object = json.serialize_map(None)?;
    object.serialize_entry("timestamp", &now())?;
    object.serialize_entry("level", event.metadata().level().as_str())?;
    let mut visitor = SerdeMapVisitor::new(object);
    event.record(&mut visitor);
    let mut object = visitor.take_serializer()?;
    object.serialize_entry("target", event.metadata().target())?;
    for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
        if let Some(Fields(fields)) = span.extensions().get() {
            for (name, value) in fields {
                object.serialize_entry(name, value)?;
            }
        }
    }
    object.end()?;
    line.push(b'\n');
    Ok(line)
}

fn fields(record: &Record<'_>) -> Map<String, Value> {
    match serde_json::to_value(record.as_serde()) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// UTC, RFC 3339, in microseconds.
fn now() -> String {
    let mut text = String::with_capacity(32);
    // Writing to a String cannot fail.
    _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Seek};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn logged(log: impl FnOnce()) -> Value {
        let mut file: File = tempfile::tempfile().unwrap();
        let (output, flush) = Output::start(file.try_clone().unwrap()).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(JsonLines::to(output)), log);
        drop(flush);
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn an_event_is_an_object_with_its_fields_and_those_of_its_spans() {
        let line = logged(|| {
            let outer = tracing::info_span!("request", request_id = "r1", later = tracing::field::Empty).entered();
            outer.record("later", 7);
            let _inner = tracing::info_span!("inner", part = %"p").entered();
            tracing::warn!(status = 503_u16, left_out = None::<u8>, "answered \"so\"\n");
        });
        let mut line = line.as_object().unwrap().clone();
        let timestamp = line.remove("timestamp").unwrap();
        assert!(chrono::DateTime::parse_from_rfc3339(timestamp.as_str().unwrap()).is_ok(), "{timestamp}");
        let expected = serde_json::json!({
            "level": "WARN", "message": "answered \"so\"\n", "status": 503, "target": module_path!(),
            "request_id": "r1", "later": 7, "part": "p",
        });
        assert_eq!(Value::Object(line), expected);
    }
}
