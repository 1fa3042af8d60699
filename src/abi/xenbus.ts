// States of a device's two halves, as each writes them into the `state` node of its directory in the store.
// Source: Xen public/io/xenbus.h, enum xenbus_state.

/** Handshake states of a frontend or backend. */
export const XenbusState = {
  Unknown: 0,
  Initialising: 1,
  InitWait: 2, // done with its own part, waits for the other half
  Initialised: 3, // waits for the other half to connect
  Connected: 4,
  Closing: 5, // the device is being taken away
  Closed: 6,
  Reconfiguring: 7,
  Reconfigured: 8,
} as const;

/** One of the handshake states. */
export type XenbusStateValue = (typeof XenbusState)[keyof typeof XenbusState];
