// @ts-check
/**
 * Bounded queues of byte records between workers, without locks: the same words and the same steps as kernel/core/queue.h,
 * whose head says how they work. The record is `shared_queue` of the ABI tables, then `capacity` bytes.
 *
 * Owns: one end of a queue. Who may call: one consumer; one producer, or with `many` any number, in any workers.
 * push and pop never wait; a full queue takes nothing and says so. pushWait and popWait sleep and are for workers,
 * room() and filled() are for threads that must not block.
 */
import { QUEUE_ALIGN, QUEUE_COMMITTED, QUEUE_HEAD_BYTES, QUEUE_PAD, SHARED_QUEUE as Q } from "./gen/abi.js";

const FILL_BYTES = 256; // above: a typed array is quicker
const MOST_BYTES = 2 ** 28;
const LOOKS = 50; // before a consumer sleeps: about a microsecond
const COMMITTED = QUEUE_COMMITTED | 0;
const word = (/** @type {number} */ offset) => offset >> 2;
const [HEAD, POPPED, CONSUMER_WAITS] = [word(Q.head), word(Q.popped), word(Q.consumer_waits)];
const [TAIL, PUSHED, PRODUCER_WAITS, LOST] = [word(Q.tail), word(Q.pushed), word(Q.producer_waits), word(Q.lost)];

/** @param {number} bytes of the record alone */
const recordBytes = (bytes) => ((bytes + QUEUE_ALIGN - 1) & -QUEUE_ALIGN) + QUEUE_HEAD_BYTES;

export class Queue {
  /**
   * An end of the queue that lies there. Throws RangeError when there is none.
   * @param {ArrayBufferLike} buffer @param {number} [address]
   */
  constructor(buffer, address = 0) {
    if (address % 8 || address + Q.BYTES > buffer.byteLength) throw new RangeError("a queue lies at a multiple of 8 inside its memory");
    this.words = new Int32Array(buffer, address, word(Q.BYTES));
    const capacity = this.words[word(Q.capacity)] >>> 0;
    const sound = capacity >= 64 && (capacity & (capacity - 1)) === 0 && address + Q.BYTES + capacity <= buffer.byteLength;
    if (!sound) throw new RangeError(`no queue here: its capacity would be ${capacity} bytes`);
    this.mask = capacity - 1;
    this.capacity = capacity;
    this.many = this.words[word(Q.many)] !== 0;
    this.heads = new Int32Array(buffer, address + Q.BYTES, capacity >> 2);
    this.bytes = new Uint8Array(buffer, address + Q.BYTES, capacity);
    this.size = 0; // of what look() found
    // What this end last saw of the other's word: looked at again only when that is used up.
    this.seenHead = this.words[HEAD];
    this.seenTail = this.seenHead;
    /** Bytes of the largest record. */
    this.most = capacity / 2 - QUEUE_HEAD_BYTES;
  }

  /** How many records found no room and were given up. */
  get lost() {
    return Atomics.load(this.words, LOST) >>> 0;
  }

  /**
   * Room for a record: its place, or -1 when the queue is full. Write to `bytes` from there, then commit.
   * @param {number} bytes
   */
  reserve(bytes) {
    if (bytes > this.most) throw new RangeError(`a record of ${bytes} bytes: this queue takes ${this.most}`);
    const { words } = this;
    const record = recordBytes(bytes);
    if (!this.many) return this.reserveOwn(record);
    let tail = Atomics.load(words, TAIL);
    for (;;) {
      const left = this.capacity - (tail & this.mask);
      const skip = left < record ? left : 0;
      if ((tail + skip + record - Atomics.load(words, HEAD)) >>> 0 > this.capacity) {
        const now = Atomics.load(words, TAIL);
        if (now === tail) return -1;
        tail = now;
        continue;
      }
      const found = Atomics.compareExchange(words, TAIL, tail, (tail + skip + record) | 0);
      if (found !== tail) {
        tail = found;
        continue;
      }
      if (skip) Atomics.store(this.heads, (tail & this.mask) >> 2, QUEUE_PAD | skip);
      return ((tail + skip) & this.mask) + QUEUE_HEAD_BYTES;
    }
  }

  /** reserve for the only producer: the consumer's word is looked at when the room last seen is used up. @param {number} record */
  reserveOwn(record) {
    const tail = this.words[TAIL]; // ours
    const left = this.capacity - (tail & this.mask);
    const skip = left < record ? left : 0;
    if ((tail + skip + record - this.seenHead) >>> 0 > this.capacity) {
      this.seenHead = Atomics.load(this.words, HEAD);
      if ((tail + skip + record - this.seenHead) >>> 0 > this.capacity) return -1;
    }
    if (skip) this.heads[(tail & this.mask) >> 2] = QUEUE_PAD | skip; // nobody looks before tail has moved
    return ((tail + skip) & this.mask) + QUEUE_HEAD_BYTES;
  }

  /** The record at `place` is whole; wakes the consumer where it sleeps. @param {number} place @param {number} bytes */
  commit(place, bytes) {
    const { words } = this;
    const at = place - QUEUE_HEAD_BYTES;
    if (this.many) Atomics.store(this.heads, at >> 2, COMMITTED | bytes);
    else {
      this.heads[at >> 2] = COMMITTED | bytes;
      const tail = words[TAIL];
      Atomics.store(words, TAIL, (tail + ((at - tail) & this.mask) + recordBytes(bytes)) | 0);
    }
    if (!Atomics.load(words, CONSUMER_WAITS)) return;
    Atomics.add(words, PUSHED, 1);
    Atomics.notify(words, PUSHED);
  }

  /** A copy of `record` into the queue; false: it is full. Throws RangeError for one that never fits. @param {Uint8Array} record */
  push(record) {
    const place = this.reserve(record.length);
    if (place < 0) return false;
    this.bytes.set(record, place);
    this.commit(place, record.length);
    return true;
  }

  /** push, or count it as lost. @param {Uint8Array} record */
  offer(record) {
    const taken = this.push(record);
    if (!taken) Atomics.add(this.words, LOST, 1);
    return taken;
  }

  /** push, asleep until there is room; false after `ms`. Workers only. @param {Uint8Array} record @param {number} [ms] */
  pushWait(record, ms = Infinity) {
    if (this.push(record)) return true;
    const end = ms === Infinity ? ms : performance.now() + ms;
    Atomics.add(this.words, PRODUCER_WAITS, 1);
    try {
      for (;;) {
        const seen = Atomics.load(this.words, POPPED);
        if (this.push(record)) return true;
        const left = end - performance.now();
        if (left <= 0) return false;
        Atomics.wait(this.words, POPPED, seen, left);
      }
    } finally {
      Atomics.sub(this.words, PRODUCER_WAITS, 1);
    }
  }

  /** The place in `bytes` of the oldest record, `size` bytes long, until done(); -1: there is none. */
  look() {
    const { words } = this;
    let head = words[HEAD]; // ours
    for (;;) {
      if (!this.many && this.seenTail === head && (this.seenTail = Atomics.load(words, TAIL)) === head) return -1;
      const at = head & this.mask;
      const value = this.many ? Atomics.load(this.heads, at >> 2) : this.heads[at >> 2];
      if (value & QUEUE_PAD) {
        if (this.many) this.heads[at >> 2] = 0;
        head = (head + (value & ~QUEUE_PAD)) | 0;
        Atomics.store(words, HEAD, head);
      } else if (value & COMMITTED) {
        this.size = value & ~COMMITTED;
        return at + QUEUE_HEAD_BYTES;
      } else return -1;
    }
  }

  /** The front is no longer needed; wakes producers where they sleep. */
  done() {
    const { words } = this;
    const head = words[HEAD];
    const at = head & this.mask;
    const record = recordBytes(this.heads[at >> 2] & ~COMMITTED);
    if (this.many) {
      if (record > FILL_BYTES) this.bytes.fill(0, at, at + record);
      else for (let n = at >> 2, end = (at + record) >> 2; n < end; n++) this.heads[n] = 0;
    }
    Atomics.store(words, HEAD, (head + record) | 0);
    if (!Atomics.load(words, PRODUCER_WAITS)) return;
    Atomics.add(words, POPPED, 1);
    Atomics.notify(words, POPPED);
  }

  /** The oldest record where it lies, until done(), or undefined. @returns {Uint8Array | undefined} */
  front() {
    const place = this.look();
    return place < 0 ? undefined : this.bytes.subarray(place, place + this.size);
  }

  /** A copy of the oldest record, which is gone then, or undefined. @returns {Uint8Array | undefined} */
  pop() {
    return this.copyOut(this.look());
  }

  /** A copy of what was found at `place`, which is gone then. @param {number} place @returns {Uint8Array | undefined} */
  copyOut(place) {
    if (place < 0) return undefined;
    const copy = this.bytes.slice(place, place + this.size);
    this.done();
    return copy;
  }

  /** look, asleep until there is one; -1 after `ms`. Workers only. @param {number} [ms] */
  lookWait(ms = Infinity) {
    for (let n = 0; n < LOOKS; n++) {
      const place = this.look();
      if (place >= 0) return place;
    }
    const end = ms === Infinity ? ms : performance.now() + ms;
    Atomics.store(this.words, CONSUMER_WAITS, 1);
    try {
      for (;;) {
        const seen = Atomics.load(this.words, PUSHED);
        const place = this.look();
        if (place >= 0) return place;
        const left = end - performance.now();
        if (left <= 0) return -1;
        Atomics.wait(this.words, PUSHED, seen, left);
      }
    } finally {
      Atomics.store(this.words, CONSUMER_WAITS, 0);
    }
  }

  /** pop, asleep until there is one; undefined after `ms`. Workers only. @param {number} [ms] */
  popWait(ms) {
    return this.copyOut(this.lookWait(ms));
  }

  /** Until there may be a record, for threads that must not block. */
  async filled() {
    Atomics.store(this.words, CONSUMER_WAITS, 1);
    try {
      const seen = Atomics.load(this.words, PUSHED);
      if (this.look() >= 0) return;
      const wait = /** @type {any} */ (Atomics).waitAsync(this.words, PUSHED, seen);
      if (wait.async) await wait.value;
    } finally {
      Atomics.store(this.words, CONSUMER_WAITS, 0);
    }
  }

  /** Until something was taken, for threads that must not block: push again then. @param {number} bytes of the record that found no room */
  async room(bytes) {
    Atomics.add(this.words, PRODUCER_WAITS, 1);
    try {
      const seen = Atomics.load(this.words, POPPED);
      const used = (this.words[TAIL] - Atomics.load(this.words, HEAD)) >>> 0;
      if (used + 2 * recordBytes(bytes) <= this.capacity) return;
      const wait = /** @type {any} */ (Atomics).waitAsync(this.words, POPPED, seen);
      if (wait.async) await wait.value;
    } finally {
      Atomics.sub(this.words, PRODUCER_WAITS, 1);
    }
  }
}

/**
 * Memory with an empty queue at its start. many: for several producers.
 * @param {number} capacity bytes, a power of two from 64 to 2^28 @param {boolean} [many] @returns {SharedArrayBuffer}
 */
export function makeQueue(capacity, many = false) {
  if (!Number.isInteger(capacity) || capacity < 64 || capacity > MOST_BYTES || capacity & (capacity - 1)) {
    throw new RangeError("a queue has a power of two of bytes, 64 to 2^28");
  }
  const buffer = new SharedArrayBuffer(Q.BYTES + capacity);
  const words = new Int32Array(buffer, 0, word(Q.BYTES));
  words[word(Q.capacity)] = capacity;
  words[word(Q.many)] = Number(many);
  return buffer;
}
