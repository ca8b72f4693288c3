//! Log lines on their way out, some in one write: a write for each was a tenth of the edge (docs/adr/0024).

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait for others.
const GATHER: Duration = Duration::from_millis(5);

/// What may wait, bytes: whoever logs more than its reader takes writes for itself.
const MOST_WAITING: usize = 1 << 20;

/// Where lines go, in the order in which they came. None is dropped that can be written.
#[derive(Clone)]
pub struct Output(Arc<Shared>);

struct Shared {
    waiting: Mutex<Vec<u8>>,
    /// Told when the first line comes to wait.
    came: Condvar,
    /// Locked before `waiting` is emptied, so that what was taken first is written first.
    sink: Mutex<Sink>,
}

struct Sink {
    to: Box<dyn Write + Send>,
    /// What is being written, and else room for what will wait next.
    lines: Vec<u8>,
    /// What was written last was lost, and that was said.
    fails: bool,
}

impl Sink {
    fn write(&mut self) {
        let written = self.to.write_all(&self.lines).and_then(|()| self.to.flush());
        self.lines.clear();
        if let Err(error) = &written
            && !self.fails
        {
            // Nothing is left to complain to where this cannot be written, either.
            _ = writeln!(io::stderr(), "log lines are lost: they cannot be written: {error}");
        }
        self.fails = written.is_err();
    }
}

/// How long a line may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// For others, some milliseconds.
    Gathers,
    /// Not at all: it is written, and what waited before it, when [`Output::push`] returns.
    AtOnce,
}

impl Urgency {
    /// A warning may be the last that a process has to say.
    pub fn of(metadata: &Metadata<'_>) -> Self {
        if *metadata.level() <= Level::WARN { Self::AtOnce } else { Self::Gathers }
    }
}

/// For a form that writes a line in one piece, as `tracing_subscriber::fmt` does.
pub struct OneLine<'a> {
    output: &'a Output,
    urgency: Urgency,
}

/// Writes what waits when the log ends.
#[must_use = "lines that wait are lost with the process"]
pub struct Flush(Output);

impl Output {
    /// Starts the thread that writes, for as long as the process lasts.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(to: impl Write + Send + 'static) -> io::Result<(Self, Flush)> {
        let sink = Mutex::new(Sink { to: Box::new(to), lines: Vec::new(), fails: false });
        let output = Self(Arc::new(Shared { waiting: Mutex::default(), came: Condvar::new(), sink }));
        let writing = output.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || writing.write_what_comes())?;
        Ok((output.clone(), Flush(output)))
    }

    /// Takes a line, its end included.
    pub fn push(&self, line: &[u8], urgency: Urgency) {
        let mut waiting = lock(&self.0.waiting);
        let is_first = waiting.is_empty();
        waiting.extend_from_slice(line);
        let is_due = urgency == Urgency::AtOnce || waiting.len() >= MOST_WAITING;
        drop(waiting);
        if is_due {
            self.write();
        } else if is_first {
            self.0.came.notify_one();
        }
    }

    fn write(&self) {
        let mut sink = lock(&self.0.sink);
        std::mem::swap(&mut sink.lines, &mut lock(&self.0.waiting));
        sink.write();
    }

    fn write_what_comes(&self) {
        loop {
            let waiting = self.0.came.wait_while(lock(&self.0.waiting), |waiting| waiting.is_empty());
            let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
            drop(self.0.came.wait_timeout_while(waiting, GATHER, |_| true));
            self.write();
        }
    }
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = OneLine<'a>;

    fn make_writer(&'a self) -> OneLine<'a> {
        OneLine { output: self, urgency: Urgency::AtOnce }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> OneLine<'a> {
        OneLine { output: self, urgency: Urgency::of(metadata) }
    }
}

impl Write for OneLine<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.output.push(line, self.urgency);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        self.0.write();
    }
}

/// Bytes stay bytes, whoever panicked with the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Tells of each write.
    struct Told(Sender<String>);

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn started() -> (Output, Flush, Receiver<String>) {
        let (sender, written) = channel();
        let (output, flush) = Output::start(Told(sender)).unwrap();
        (output, flush, written)
    }

    #[test]
    fn a_line_that_no_other_follows_is_written_all_the_same() {
        let (output, _flush, written) = started();
        for line in ["one\n", "two\n"] {
            output.push(line.as_bytes(), Urgency::Gathers);
            assert_eq!(written.recv().unwrap(), line);
        }
    }

    #[test]
    fn what_is_urgent_is_written_at_once_after_what_waited_before_it() {
        let (output, _flush, written) = started();
        output.push(b"one\n", Urgency::Gathers);
        output.push(b"two\n", Urgency::AtOnce);
        assert_eq!(written.try_iter().collect::<String>(), "one\ntwo\n");
    }

    #[test]
    fn nothing_is_dropped_and_each_threads_lines_keep_their_order() {
        let (output, flush, written) = started();
        // Together more than may wait.
        let (threads, lines, padding) = (4, 5_000, "-".repeat(80));
        thread::scope(|scope| {
            for thread in 0..threads {
                let (output, padding) = (&output, &padding);
                scope.spawn(move || {
                    for line in 0..lines {
                        output.push(format!("{thread} {line} {padding}\n").as_bytes(), Urgency::Gathers);
                    }
                });
            }
        });
        drop(flush);
        let text: String = written.try_iter().collect();
        for thread in 0..threads {
            let of_thread = text.lines().filter_map(|line| line.strip_prefix(&format!("{thread} ")));
            let numbers = of_thread.map(|line| line.split(' ').next().unwrap().parse::<usize>().unwrap());
            assert!(numbers.eq(0..lines), "thread {thread}");
        }
    }

    #[test]
    fn a_write_that_fails_loses_its_own_lines_alone() {
        struct Full(bool, Told);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                if std::mem::take(&mut self.0) { Err(io::ErrorKind::StorageFull.into()) } else { self.1.write(bytes) }
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (sender, written) = channel();
        let (output, _flush) = Output::start(Full(true, Told(sender))).unwrap();
        output.push(b"one\n", Urgency::AtOnce);
        output.push(b"two\n", Urgency::AtOnce);
        assert_eq!(written.try_iter().collect::<String>(), "two\n");
    }
}
