//! The working set of one batch.

/// Everything that a batch writes.
#[derive(Debug, Default)]
pub struct Changes {}

/// What a store found.
#[derive(Debug, Default)]
pub struct Loaded {}

/// What a batch still has to load.
#[derive(Debug, Default)]
pub struct Wanted {}
