// What a guest may use up of the store. Together these bound the memory that one guest can make domain 0 spend,
// whatever it sends and however little it reads. Domain 0 has no limits. Numbers are the reference daemon's.

/** Limits for each unprivileged domain. */
export interface StoreQuota {
  /** Nodes that it owns. */
  readonly nodes: number;
  /** Size at which a node is too big: value, names of children, 8 bytes a permission, and `NODE_HEADER_SIZE`. */
  readonly nodeSizeBytes: number;
  /** Entries in the permissions of a node. */
  readonly permissionsPerNode: number;
  /** Watches beyond which no further one is accepted. */
  readonly watches: number;
  /** Open transactions beyond which no further one is accepted. */
  readonly transactions: number;
  /** Nodes that one transaction may look at or change, and bytes of their paths and of its versions of them. */
  readonly nodesPerTransaction: number;
  readonly bytesPerTransaction: number;
  /** Requests whose reply, or an event that they caused, somebody has not read yet; no more are taken while at the limit. */
  readonly outstandingRequests: number;
  /** Bytes of watch events that it has not read; an event that does not fit is dropped. */
  readonly unreadEventBytes: number;
  /** Age in ms at which an unread event stops holding up the other guest that caused it, and is dropped. */
  readonly eventTimeoutMs: number;
}

/** The limits of the reference daemon; it bounds bytes by one sum for a domain, here each kind has its own. */
export const DEFAULT_QUOTA: StoreQuota = {
  nodes: 1000,
  nodeSizeBytes: 2048,
  permissionsPerNode: 5,
  watches: 128,
  transactions: 10,
  nodesPerTransaction: 1024,
  bytesPerTransaction: 256 * 1024,
  outstandingRequests: 20,
  unreadEventBytes: 256 * 1024,
  eventTimeoutMs: 20_000,
};
