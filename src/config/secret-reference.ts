/** How a secret is named in cluster.json, wherever one is wanted. */

import { z } from "zod";
import { secretPattern } from "./secret.ts";

export const secretReference = z
  .string()
  .regex(secretPattern, 'must be "env:NAME" or "file:PATH", never the secret itself: this file is copied around');
