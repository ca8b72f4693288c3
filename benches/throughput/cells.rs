//! What is measured: one name for each thing that takes its turn.

use std::fmt;

/// A lone caller, and two loads.
pub const CONNECTIONS: [usize; 3] = [1, 64, 256];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Where {
    Postgres,
    Sqlite,
    NoStore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Authorize,
    Credit,
    Status,
    Hello,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// `vna-partner serve`.
    Server,
    /// actix-web and sqlx, one transaction per request.
    Handler,
    Pgbench,
    /// actix-web alone.
    Actix,
    /// `vna-partner serve`, and an account with ten events in its windows.
    ShortHistory,
    /// The same with a million, half of them given back.
    LongHistory,
    /// `vna-partner serve` on books with a past.
    FullBooks,
    /// One of several builds of `vna-partner`, in their order.
    Build(u8),
}

/// One thing that is run once a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    pub place: Where,
    pub what: What,
    pub connections: usize,
    pub who: Who,
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "Postgres",
            Self::Sqlite => "SQLite",
            Self::NoStore => "no store",
        })
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authorize => "TxAuthorization",
            Self::Credit => "CreditFunds",
            Self::Status => "the edge alone",
            Self::Hello => "hello-world",
        })
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Build(number) => return write!(f, "build {number}"),
            Self::Server => "vna-partner",
            Self::Handler => "one transaction each",
            Self::Pgbench => "pgbench",
            Self::Actix => "actix",
            Self::ShortHistory => "10 events",
            Self::LongHistory => "many events",
            Self::FullBooks => "vna-partner, with a past",
        })
    }
}
