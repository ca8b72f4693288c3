//! The contract itself.

use crate::support::openapi::{ADMIN, VNA};

#[test]
fn every_example_of_the_contract_is_valid() {
    assert!(VNA.check_examples().unwrap() > 10);
}

#[test]
fn every_example_of_the_admin_contract_is_valid() {
    assert!(ADMIN.check_examples().unwrap() > 10);
}
