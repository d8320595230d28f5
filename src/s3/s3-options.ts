/** What the S3 dialect is made of. */

import type { Access } from "../access/access.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Operations } from "../core/operation.ts";
import type { HttpSettings } from "../http/server/http-settings.ts";
import type { Buckets } from "./buckets.ts";
import type { ClientUploads } from "./uploads/client-uploads.ts";

export interface S3Options {
  /** Asked for each time: another member may take the place of the one that answered last. */
  readonly operations: () => Operations;
  readonly access: Access;
  readonly buckets: Buckets;
  readonly uploads: ClientUploads;
  readonly settings: HttpSettings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}
