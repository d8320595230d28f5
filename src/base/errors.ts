/**
 * Every way in which an operation can fail, in one table: the HTTP status that a client sees, and what it should do
 * next. A code is a promise to users (every error answer carries it), so codes are only ever added.
 */

interface ErrorKind {
  /** HTTP status of the answer. */
  readonly status: number;
  /** What the client should do about it, in a sentence. */
  readonly advice: string;
}

export const errorKinds = {
  key_invalid: { status: 400, advice: "Send a key of 1 to 1024 bytes of UTF-8 without .weir/ in it." },
  header_invalid: { status: 400, advice: "Correct the header, or the request line, as the detail says." },
  query_invalid: { status: 400, advice: "Correct the query as the detail says." },
  body_invalid: { status: 400, advice: "Correct the body as the detail says." },
  body_truncated: { status: 400, advice: "Send the whole body; nothing was stored." },
  unauthorized: { status: 401, advice: "Send Authorization: Bearer TOKEN, with a token of this cluster." },
  forbidden: { status: 403, advice: "Use a token that has this right, and covers this key." },
  cross_site_request: { status: 403, advice: "Send it from the node's own pages, or without a browser." },
  not_refused: {
    status: 404,
    advice: "Nothing is to be given up: the store has not refused what the key holds, and will be sent it.",
  },
  key_not_found: { status: 404, advice: "Put the value first, or check how the key is written." },
  route_not_found: { status: 404, advice: "See docs/http.md for the routes there are." },
  method_not_allowed: { status: 405, advice: "Use one of the methods in the Allow header." },
  body_timeout: { status: 408, advice: "Send the request faster; nothing was stored." },
  precondition_failed: { status: 412, advice: "Read the key again and decide anew." },
  value_too_large: { status: 413, advice: "Send a value within large.maxValueBytes." },
  range_not_satisfiable: { status: 416, advice: "Ask for a range within the value's length." },
  headers_too_large: { status: 431, advice: "Send fewer or shorter headers." },
  internal: { status: 500, advice: "This is a bug in weir; please report it with the log." },
  value_not_servable: {
    status: 501,
    advice: "Read it by GET /kv/{key}: it is over buffer.maxValueBytes, and the old API does not stream.",
  },
  buffer_full: { status: 503, advice: "Retry after a while: the buffer is full until the store has taken more." },
  overloaded: { status: 503, advice: "Retry after a while: too much is under way on this node." },
  not_ready: { status: 503, advice: "Retry after a while: the node that owns this key is not serving it yet." },
  deadline_exceeded: { status: 503, advice: "Retry; a write may or may not have taken effect." },
  peer_unreachable: { status: 503, advice: "Retry after a while: a node that is needed does not answer." },
  wrong_view: { status: 503, advice: "Retry: the members have just changed." },
  shutting_down: { status: 503, advice: "Retry on another node: this one is stopping." },
  store_unavailable: { status: 503, advice: "Retry after a while: the object store does not answer." },
  store_throttled: { status: 503, advice: "Retry after a while: the object store asks for fewer requests." },
  store_refused: { status: 503, advice: "Tell the operator: the object store refuses the request." },
  refused_full: {
    status: 507,
    advice:
      "Tell the operator: the object store refuses what was written before. Then change those values, or give them up (weir drop).",
  },
  disk_failed: {
    status: 500,
    advice: "Mend the disk of the data folder as the message says; the node tries it again by itself.",
  },
  config_invalid: { status: 500, advice: "Correct the configuration as the message says." },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorKinds;

/** The store does not answer, or asks for fewer requests: the same request may succeed later. */
export const transientCodes = ["store_unavailable", "store_throttled"] as const satisfies readonly ErrorCode[];

/** How the message of a write that failed ends, if the writer may rely on it. */
export const nothingStored = "; nothing was stored";

/** A failure that the caller must expect. Test its `code`, not its class or its message. */
export class OperatingError extends Error {
  override name = "OperatingError";
  readonly code: ErrorCode;
  /**
   * Of a change that the store was asked for: it certainly never got the request, or it refused it for its age. False
   * says nothing.
   */
  readonly neverSent: boolean;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; neverSent?: boolean }) {
    super(message, options);
    this.code = code;
    this.neverSent = options?.neverSent ?? false;
  }
}

/**
 * Options that contradict each other, or that name something that does not exist. The command was used wrongly and ends
 * with exit code 2.
 */
export class UsageError extends OperatingError {
  constructor(message: string) {
    super("config_invalid", message);
  }
}

/** Whether `error` is an OperatingError with one of `codes` (any code, if none is given). */
export function isOperatingError(error: unknown, ...codes: ErrorCode[]): error is OperatingError {
  return error instanceof OperatingError && (codes.length === 0 || codes.includes(error.code));
}

/** Whether the store certainly never began with the request. */
export function isNeverSent(error: unknown): boolean {
  return error instanceof OperatingError && error.neverSent;
}
