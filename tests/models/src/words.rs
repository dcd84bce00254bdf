//! The table of words: `src/mode/table.rs` under loom.

use crate::table::{get, set};

/// Two cookies whose entry is one.
const COOKIE: u64 = 5;
const OTHER: u64 = COOKIE + (1 << 14);

/// What a mode leaves that needs no word.
const NONE: i32 = -1;

/// Whether a reader may find, one after the other, what it found.
fn in_order(found: [Option<i32>; 2], written: &[Option<i32>]) -> bool {
    let places = found.map(|number| written.iter().position(|written| *written == number));
    matches!(places, [Some(first), Some(second)] if first <= second)
}

/// A word is published, replaced and forgotten. A reader finds none of it, or one whole, and never an older one later.
pub fn replaced_while_read() {
    assert_eq!(get(COOKIE), None);
    let writer = loom::thread::spawn(|| [-7, i32::MIN, NONE].map(|number| set(COOKIE, number)));
    let found = [get(COOKIE), get(COOKIE)];
    let written = [None, Some(-7), Some(i32::MIN), Some(NONE)];
    assert!(in_order(found, &written), "found {found:?}");
    writer.join().expect("it ends");
    assert_eq!(get(COOKIE), Some(NONE));
}

/// Two sockets have one entry. Each finds its own word or none, and the last to write has it.
pub fn shared_by_two_sockets() {
    assert_eq!(get(COOKIE), None);
    let other = loom::thread::spawn(|| {
        set(OTHER, -8);
        let found = get(OTHER);
        assert!(matches!(found, None | Some(-8)), "found {found:?}");
    });
    set(COOKIE, -7);
    let found = get(COOKIE);
    assert!(matches!(found, None | Some(-7)), "found {found:?}");
    other.join().expect("it ends");
    assert!(matches!((get(COOKIE), get(OTHER)), (Some(-7), None) | (None, Some(-8))));
}

/// The entry of a socket that is gone goes to a new one, while a third looks for its own.
pub fn taken_from_a_socket_that_is_gone() {
    set(COOKIE, -7);
    let successor = loom::thread::spawn(|| set(OTHER, -8));
    let third = loom::thread::spawn(|| {
        let number = get(OTHER + (1 << 14));
        assert!(number.is_none(), "a socket without a word finds {number:?}");
    });
    let found = [get(COOKIE), get(COOKIE)];
    assert!(in_order(found, &[Some(-7), None]), "found {found:?}");
    successor.join().expect("it ends");
    third.join().expect("it ends");
    assert_eq!((get(COOKIE), get(OTHER)), (None, Some(-8)));
}
