//! `compose.yaml`, as far as its schema does not say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_yaml_ng::Value;

use crate::program::in_repository;

#[test]
fn every_name_in_compose_is_of_something_that_is_there() {
    let compose = read();
    for (name, service) in services(&compose) {
        let missing = |kind: &str, named: &str| panic!("{name} names {kind} {named}, which is not there");
        for secret in texts(&service["secrets"]) {
            _ = compose["secrets"].get(secret).unwrap_or_else(|| missing("the secret", secret));
        }
        for network in texts(&service["networks"]) {
            _ = compose["networks"].get(network).unwrap_or_else(|| missing("the network", network));
        }
        for (other, how) in service["depends_on"].as_mapping().into_iter().flatten() {
            let depended = compose["services"].get(other).unwrap_or_else(|| missing("the service", text(other)));
            let needs_health = how["condition"] == "service_healthy";
            assert!(!needs_health || depended.get("healthcheck").is_some(), "{name} waits for a health nobody checks");
        }
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().unwrap();
            let is_there = match source.strip_prefix("./") {
                Some(file) => Path::new(&in_repository(file)).is_file(),
                None => compose["volumes"].get(source).is_some(),
            };
            assert!(is_there, "{name} mounts {source}, which is not there");
        }
    }
}

#[test]
fn every_secret_in_compose_is_given_to_somebody_and_none_is_in_the_environment() {
    let compose = read();
    let given: BTreeSet<&str> = services(&compose).flat_map(|(_, service)| texts(&service["secrets"])).collect();
    let all: BTreeSet<&str> = compose["secrets"].as_mapping().unwrap().keys().map(text).collect();
    assert_eq!(given, all);
    for (name, service) in services(&compose) {
        for (variable, value) in environment(service) {
            let path = value.strip_prefix("/run/secrets/");
            let held = path.is_none_or(|secret| texts(&service["secrets"]).any(|given| given == secret));
            assert!(held, "{name}: {variable} is a secret that it is not given");
            let is_secret = ["KEY", "PASSWORD", "DATABASE_URL"].iter().any(|word| variable.contains(word));
            assert!(!is_secret || path.is_some(), "{name}: {variable} stands in the environment");
        }
    }
}

#[test]
fn compose_runs_this_version_and_no_image_that_changes_by_itself() {
    for (name, service) in services(&read()) {
        let (image, tag) = text(&service["image"]).split_once(':').unwrap_or_else(|| panic!("{name} has no tag"));
        assert_ne!(tag, "latest", "{name}");
        if image == "vna-partner" {
            assert_eq!(tag, env!("CARGO_PKG_VERSION"));
        }
    }
}

#[test]
fn each_image_of_ours_is_built_by_one_service() {
    let compose = read();
    let built = |is_built: bool| {
        let services = services(&compose).filter(move |(_, service)| service.get("build").is_some() == is_built);
        services.map(|(_, service)| text(&service["image"])).collect::<Vec<_>>()
    };
    assert_eq!(built(true), [concat!("vna-partner:", env!("CARGO_PKG_VERSION"))]);
    assert!(built(false).contains(&built(true)[0]), "the second server runs the same");
}

/// `--wait` takes a service for started that has only been seen once, where nobody asks for its health.
#[test]
fn every_service_of_compose_is_asked_for_its_health() {
    for (name, service) in services(&read()) {
        assert!(service.get("healthcheck").is_some(), "{name}");
    }
}

#[test]
fn only_the_proxy_is_reached_from_outside_and_only_by_leaps_port() {
    let compose = read();
    assert_eq!(compose["networks"]["inside"]["internal"], true);
    for (name, service) in services(&compose) {
        if name == "proxy" {
            let open: Vec<&str> = texts(&service["ports"]).filter(|port| !port.starts_with("127.0.0.1:")).collect();
            assert_eq!(open, ["8443:8443"]);
        } else {
            assert!(service.get("ports").is_none(), "{name} is published");
            assert_eq!(texts(&service["networks"]).collect::<Vec<_>>(), ["inside"], "{name}");
        }
    }
}

/// `compose.yaml`.
pub fn read() -> Value {
    let mut compose: Value =
        serde_yaml_ng::from_str(&fs::read_to_string(in_repository("compose.yaml")).unwrap()).unwrap();
    compose.apply_merge().unwrap();
    compose
}

/// A service's environment, with secrets in `secrets` rather than where a container finds them.
pub fn environment_with(service: &str, secrets: &Path) -> BTreeMap<String, String> {
    let moved = |value: String| match value.strip_prefix("/run/secrets/") {
        Some(secret) => secrets.join(secret).display().to_string(),
        None => value,
    };
    environment(&read()["services"][service]).into_iter().map(|(name, value)| (name, moved(value))).collect()
}

fn services(compose: &Value) -> impl Iterator<Item = (&str, &Value)> {
    compose["services"].as_mapping().unwrap().iter().map(|(name, service)| (text(name), service))
}

/// What a service runs under: where its image is ours, what that sets by itself, too.
fn environment(service: &Value) -> BTreeMap<String, String> {
    let is_ours = text(&service["image"]).starts_with("vna-partner:");
    let mut environment = if is_ours { of_the_image() } else { BTreeMap::new() };
    let variables = service["environment"].as_mapping().unwrap();
    environment.extend(variables.iter().map(|(name, value)| (text(name).to_owned(), text(value).to_owned())));
    environment
}

fn of_the_image() -> BTreeMap<String, String> {
    let dockerfile = fs::read_to_string(in_repository("Dockerfile")).unwrap().replace("\\\n", " ");
    let settings = dockerfile.lines().filter_map(|line| line.strip_prefix("ENV ")).flat_map(str::split_whitespace);
    let settings = settings.map(|setting| setting.split_once('=').unwrap());
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_sequence().into_iter().flatten().map(text)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value:?} is no text"))
}
