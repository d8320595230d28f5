/** The form in which cluster.json names a secret. */

import { z } from "zod";
import { secretPattern } from "./secret.ts";

export const secretReference = z
  .string()
  .regex(secretPattern, 'must be "env:NAME" or "file:PATH", never the secret itself: this file is copied around');
