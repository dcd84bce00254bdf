//! Atomics as the library's files use them: loom's in a model of loom's, and a step in the other models.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::rc::Rc;

use loom::sync::atomic::AtomicU64 as LoomAtomic;
pub use std::sync::atomic::Ordering;

use crate::{explore, memory};

/// How many atomics a model of loom's may touch.
const ATOMICS: usize = 32;

/// loom's atomics are made anew in each execution, by a thread that all others come after, and cannot stand in a
/// `static`. So a model makes some beforehand, and an atomic of the library takes the next one when it is first touched.
#[derive(Default)]
struct Pool {
    execution: u64,
    atomics: Vec<Rc<LoomAtomic>>,
    taken: usize,
}

thread_local! {
    // All threads of a model run on one thread of the system.
    static POOL: RefCell<Pool> = RefCell::default();
    static WEAKENED: Cell<bool> = const { Cell::new(false) };
}

/// Begins an execution of a model of loom's.
pub fn begin() {
    let atomics: Vec<_> = (0..ATOMICS).map(|_| Rc::new(LoomAtomic::new(0))).collect();
    POOL.with_borrow_mut(|pool| *pool = Pool { execution: pool.execution + 1, atomics, taken: 0 });
}

/// From now on all orders are relaxed, to see that the models depend on them.
pub fn weaken() {
    WEAKENED.set(true);
}

fn order(order: Ordering) -> Ordering {
    if WEAKENED.get() { Ordering::Relaxed } else { order }
}

/// What fits into 64 bits.
pub trait Bits: Copy {
    fn to_bits(self) -> u64;
    fn of_bits(bits: u64) -> Self;
}

impl Bits for u64 {
    fn to_bits(self) -> u64 {
        self
    }
    fn of_bits(bits: u64) -> u64 {
        bits
    }
}

impl Bits for i32 {
    fn to_bits(self) -> u64 {
        u64::from(self as u32)
    }
    fn of_bits(bits: u64) -> i32 {
        bits as u32 as i32
    }
}

impl Bits for bool {
    fn to_bits(self) -> u64 {
        self.into()
    }
    fn of_bits(bits: u64) -> bool {
        bits != 0
    }
}

impl<T> Bits for *mut T {
    fn to_bits(self) -> u64 {
        self.expose_provenance() as u64
    }
    fn of_bits(bits: u64) -> *mut T {
        std::ptr::with_exposed_provenance_mut(bits as usize)
    }
}

pub struct Atomic<T> {
    initial: T,
    /// The execution in which it was last touched, and which of the pool's it has there.
    taken: Cell<(u64, usize)>,
    kind: PhantomData<T>,
}

// SAFETY: all threads of a model run on one thread of the system.
unsafe impl<T> Sync for Atomic<T> {}

pub type AtomicU64 = Atomic<u64>;
pub type AtomicI32 = Atomic<i32>;
pub type AtomicBool = Atomic<bool>;
pub type AtomicPtr<T> = Atomic<*mut T>;

impl<T> Atomic<T> {
    pub const fn new(initial: T) -> Atomic<T> {
        Atomic { initial, taken: Cell::new((0, 0)), kind: PhantomData }
    }
}

impl<T: Bits> Atomic<T> {
    fn with<R>(&self, body: impl FnOnce(&LoomAtomic) -> R) -> R {
        memory::must_be_mapped((&raw const *self).addr());
        let atomic = POOL.with_borrow_mut(|pool| {
            if self.taken.get().0 != pool.execution {
                self.taken.set((pool.execution, pool.taken));
                pool.taken += 1;
            }
            pool.atomics[self.taken.get().1].clone()
        });
        body(&atomic)
    }

    /// The pool's begin with 0, which stands for the initial value.
    fn encode(&self, value: T) -> u64 {
        value.to_bits() ^ self.initial.to_bits()
    }

    fn decode(&self, bits: u64) -> T {
        T::of_bits(bits ^ self.initial.to_bits())
    }

    pub fn load(&self, ordering: Ordering) -> T {
        if explore::is_under_way() {
            return T::of_bits(explore::load_entry());
        }
        self.decode(self.with(|atomic| atomic.load(order(ordering))))
    }

    pub fn store(&self, value: T, ordering: Ordering) {
        if explore::is_under_way() {
            return explore::store_entry(value.to_bits());
        }
        self.with(|atomic| atomic.store(self.encode(value), order(ordering)));
    }

    pub fn swap(&self, value: T, ordering: Ordering) -> T {
        self.decode(self.with(|atomic| atomic.swap(self.encode(value), order(ordering))))
    }

    pub fn compare_exchange_weak(&self, old: T, new: T, done: Ordering, not: Ordering) -> Result<T, T> {
        let (old, new) = (self.encode(old), self.encode(new));
        let result = self.with(|atomic| atomic.compare_exchange_weak(old, new, order(done), order(not)));
        result.map(|bits| self.decode(bits)).map_err(|bits| self.decode(bits))
    }
}
