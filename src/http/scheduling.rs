//! When the threads that serve connections have their turn on a processor.

/// From now on this thread waits for its turn when it is woken, and takes the processor from nobody: as a rule it is the engine
/// that wakes it, in the middle of a batch's answers (`docs/adr/0027`). Threads that this one starts are like it. Where the
/// system knows no such policy, or refuses it, the thread goes on as it is.
pub(super) fn interrupt_nobody() {
    #[cfg(target_os = "linux")]
    if let Err(error) = uapi::sched_setscheduler(0, uapi::c::SCHED_BATCH, &uapi::c::sched_param { sched_priority: 0 }) {
        tracing::debug!(%error, "the system refuses SCHED_BATCH to a thread that serves connections");
    }
}
