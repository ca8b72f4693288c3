//! Invariants of the core and the engine, over generated sequences of commands.

mod bench;

use bench::{Bench, authorize, credit, request, reverse, second, seed};
use vna_partner::decide::Outcome;
use vna_partner::domain::Policy;

#[tokio::test]
async fn a_remittance_is_authorized_credited_and_reversed() {
    let bench = Bench::new(Policy::default(), "rules = []").await;
    bench.one(request(second(0), seed("A", "+525555123456"))).await;
    let asked = request(second(1), authorize("A", 100_00, "+12025550143"));
    let authorization = asked.id;
    let outcome = bench.one(asked).await;
    assert!(matches!(&outcome, Outcome::Authorization(answer) if answer.authorized), "{outcome:?}");
    let asked = request(second(2), credit("A", authorization));
    let credited = asked.id;
    let outcome = bench.one(asked).await;
    assert!(matches!(&outcome, Outcome::Credit(answer) if answer.success), "{outcome:?}");
    let outcome = bench.one(request(second(2), credit("A", authorization))).await;
    assert!(matches!(&outcome, Outcome::Credit(answer) if answer.success && answer.tracking == credited), "{outcome:?}");
    let outcome = bench.one(request(second(3), reverse("A", credited))).await;
    assert!(matches!(&outcome, Outcome::Reversal(answer) if answer.success), "{outcome:?}");
    println!("{:#?}", bench.dump().await);
}
