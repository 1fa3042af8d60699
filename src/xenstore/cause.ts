// Counts what a guest's request still holds in domain 0: its reply and the watch events that it led to, until somebody
// has read them. A guest with too many such requests is not listened to, so it cannot fill domain 0's memory.

/** A request of a guest and what is still unread of it. */
export class Cause {
  readonly #done: () => void;
  #unread = 0;

  /** @param done - called once, when the last part has been read or dropped */
  constructor(done: () => void) {
    this.#done = done;
  }

  /** One more part waits to be read. */
  hold(): void {
    this.#unread += 1;
  }

  /** One part has been read, or dropped. */
  release(): void {
    this.#unread -= 1;
    if (this.#unread === 0) {
      this.#done();
    }
  }
}
