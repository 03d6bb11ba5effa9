//! Reading a file: never without a bound, and from a pipe never longer than a deadline.
//!
//! What a path names may be a pipe that nothing writes to; to open it would wait for ever.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::libc::O_NONBLOCK;

/// For what a pipe brings. A file system that does not answer is not covered: those who read on
/// behalf of tasks do so [apart](crate::task::apart).
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Between two looks at a pipe.
const LOOK: Duration = Duration::from_millis(10);

/// Reads a file of at most `most` bytes.
///
/// # Errors
///
/// Fails when it cannot be read, is longer, or is a pipe that is not at its end in time.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_within(path, most, DEADLINE)
}

fn read_within(path: &Path, most: u64, deadline: Duration) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
    let waits = file.metadata()?.file_type().is_fifo();
    let (mut bytes, start) = (Vec::new(), Instant::now());
    let mut file = file.take(most + 1);
    loop {
        match file.read_to_end(&mut bytes) {
            // The end of a pipe to which nothing has been written yet is its beginning.
            Ok(_) if !waits || !bytes.is_empty() => break,
            Err(error) if !waits || error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Ok(_) | Err(_) => {}
        }
        if start.elapsed() >= deadline {
            let why = "it is a pipe, and nothing ends what comes of it";
            return Err(io::Error::new(io::ErrorKind::TimedOut, why));
        }
        sleep(LOOK);
    }
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it is longer than {most} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::thread;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    #[test]
    fn a_file_comes_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "four").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"four");
        assert_eq!(read(&path, 3).unwrap_err().to_string(), "it is longer than 3 bytes");
        assert_eq!(read(Path::new("/dev/null"), 3).unwrap(), b"");
        assert_eq!(read(Path::new("/dev/zero"), 3).unwrap_err().kind(), io::ErrorKind::Other);
        assert!(read(folder.path(), 3).is_err(), "a folder");
        assert!(read(&folder.path().join("none"), 3).is_err());
    }

    #[test]
    fn a_pipe_is_waited_for_no_longer_than_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        let late = |path: &Path| read_within(path, 9, SOON).unwrap_err().kind();
        assert_eq!(late(&path), io::ErrorKind::TimedOut, "nothing writes");
        let mut silent = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        assert_eq!(late(&path), io::ErrorKind::TimedOut, "the writer is silent");
        silent.write_all(b"part").unwrap();
        assert_eq!(late(&path), io::ErrorKind::TimedOut, "the writer does not end");
        drop(silent);
        let writing = {
            let path = path.clone();
            thread::spawn(move || fs::write(path, "whole"))
        };
        assert_eq!(read(&path, 9).unwrap(), b"whole");
        writing.join().unwrap().unwrap();
    }
}
