//! What a watch says of its kind.

use crate::model::{Key, Unknown};

/// What a watch says of its kind.
#[derive(Debug)]
pub enum Event<T> {
    /// A list begins; what it does not name before `Done` is gone.
    Begin,
    /// An object is there, as given.
    Put(Key, T),
    /// An object is there, and cannot be decoded.
    Undecoded(Key),
    /// An object was deleted.
    Gone(Key),
    /// The list is complete.
    Done,
    /// The source is alive and has nothing new.
    Alive,
    /// The source cannot be read, until a list ends.
    Unavailable(Unknown),
    /// The cluster has no such kind.
    Absent,
}
