//! Standard error, which one thread writes to: a log that cannot be written costs its lines and
//! nothing else.
//!
//! A full disk, a pipe whose reader is gone and one that is never emptied must neither end a task
//! nor hold it up.

use std::io::{self, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// Lines that wait for the thread; more are dropped.
const WAITING: usize = 1024;

/// How long the end of the process waits for lines to be written.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two tries to put something into a full queue.
const PAUSE: Duration = Duration::from_millis(10);

static DROPPED: AtomicU64 = AtomicU64::new(0);

static QUEUE: LazyLock<SyncSender<Entry>> = LazyLock::new(|| {
    let (queue, entries) = mpsc::sync_channel(WAITING);
    // Without its thread every line is dropped, and counted.
    _ = thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write(entries, &mut io::stderr(), &DROPPED));
    queue
});

enum Entry {
    Line(Vec<u8>),
    /// Answered when all before it is written.
    Flush(SyncSender<()>),
}

/// Returns how many lines could not be written.
pub(super) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Takes whole lines, and never fails.
#[derive(Debug)]
pub(super) struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if QUEUE.try_send(Entry::Line(line.to_vec())).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits a second at most for what was logged to be written.
pub(super) fn flush() {
    let (done, written) = mpsc::sync_channel(1);
    let start = Instant::now();
    while QUEUE.try_send(Entry::Flush(done.clone())).is_err() {
        if start.elapsed() >= PATIENCE {
            return;
        }
        sleep(PAUSE);
    }
    _ = written.recv_timeout(PATIENCE.saturating_sub(start.elapsed()));
}

fn write(entries: Receiver<Entry>, to: &mut impl Write, dropped: &AtomicU64) {
    let mut torn = false;
    for entry in entries {
        match entry {
            Entry::Line(line) => {
                // Part of the line before may be there, where the disk was full only then.
                let begun = if torn { to.write_all(b"\n") } else { Ok(()) };
                torn = begun.and_then(|()| to.write_all(&line)).is_err();
                if torn {
                    dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
            Entry::Flush(done) => _ = done.try_send(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for so many bytes.
    struct Disk(Vec<u8>, usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let length = bytes.len().min(self.1);
            self.0.extend(&bytes[..length]);
            self.1 -= length;
            if length == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(length) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(room: usize) -> (String, u64) {
        let (queue, entries) = mpsc::sync_channel(9);
        for line in ["one\n", "second\n", "3\n"] {
            queue.send(Entry::Line(line.into())).unwrap();
        }
        drop(queue);
        let (mut disk, dropped) = (Disk(Vec::new(), room), AtomicU64::new(0));
        write(entries, &mut disk, &dropped);
        (String::from_utf8(disk.0).unwrap(), dropped.into_inner())
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_the_next_ones_tried() {
        assert_eq!(written(99), ("one\nsecond\n3\n".to_owned(), 0));
        assert_eq!(written(0), (String::new(), 3));
        assert_eq!(written(6), ("one\nse".to_owned(), 2));
    }
}
