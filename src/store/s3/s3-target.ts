/**
 * Where a bucket is reached, and with whose rights. AWS has rules of its own for both: regions, partitions, profiles,
 * instance roles that renew their keys. So AWS's SDK answers both questions. Only its credential providers send
 * requests.
 *
 * With a given address and given keys there is nothing to find out. Then the SDK is not loaded; it takes some 40 MiB.
 */

import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { encodePath } from "../http/percent-encoding.ts";
import type { Credentials } from "./s3-signature.ts";

export interface S3Location {
  readonly bucket: string;
  /** Otherwise the SDK's: AWS_REGION, or the profile's. */
  readonly region?: string | undefined;
  /** Base URL of a server other than AWS. */
  readonly endpoint?: string | undefined;
  /**
   * Whether the bucket is in the path rather than in the host name. The default is true with an endpoint, otherwise
   * false.
   */
  readonly forcePathStyle?: boolean | undefined;
  /** Both keys or neither. Without them the SDK's provider chain is asked. */
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: string | undefined;
  readonly sessionToken?: string | undefined;
}

export interface S3Target {
  /** Such as `https://photos.s3.eu-central-1.amazonaws.com`. */
  readonly origin: string;
  /** The `Host` header. */
  readonly host: string;
  /** What comes before an object's key, encoded: `/` or `/photos/`. */
  readonly basePath: string;
  readonly region: string;
  /** The SDK's are renewed before they expire. */
  credentials(): Credentials | Promise<Credentials>;
}

const sourcesAdvice =
  "give region, accessKeyId and secretAccessKey, or set AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or an AWS profile or role";

/**
 * @throws OperatingError `store_refused` when no region or no credentials can be found, or only one of the keys is
 * given.
 */
export async function resolveTarget(location: S3Location): Promise<S3Target> {
  const { bucket, region, endpoint } = location;
  const given = givenCredentials(location);
  const forcePathStyle = location.forcePathStyle ?? endpoint !== undefined;
  if (given !== undefined && region !== undefined && endpoint !== undefined && forcePathStyle) {
    const url = new URL(endpoint);
    return target(url, `${url.pathname.replace(/\/$/, "")}/${encodePath(bucket)}/`, region, () => given);
  }
  const { HeadObjectCommand, S3Client } = await import("@aws-sdk/client-s3");
  /** The SDK builds one request. We look at it instead of sending it. */
  let built: BuiltRequest | undefined;
  const client = new S3Client({
    forcePathStyle,
    maxAttempts: 1,
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(given === undefined ? {} : { credentials: given }),
    requestHandler: {
      handle: (request: BuiltRequest) => {
        built = request;
        return Promise.reject(notSent);
      },
    },
  });
  const key = "k";
  try {
    await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
  } catch (error) {
    if (error !== notSent) {
      const reason = `can't find out how to reach the bucket ${bucket}: ${(error as Error).message}`;
      throw new OperatingError("store_refused", `${reason}; ${sourcesAdvice}`, { cause: error });
    }
  }
  assert(built?.path.endsWith(`/${key}`) === true, "the SDK builds the request for an object");
  const { protocol, hostname, port, path } = built;
  const url = new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}`);
  return target(url, path.slice(0, -key.length), await client.config.region(), () => client.config.credentials());
}

function givenCredentials(location: S3Location): Credentials | undefined {
  const { accessKeyId, secretAccessKey, sessionToken } = location;
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new OperatingError("store_refused", "accessKeyId and secretAccessKey go together; give both or neither");
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

interface BuiltRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
}

const notSent = new Error("not sent");

function target(url: URL, basePath: string, region: string, credentials: S3Target["credentials"]): S3Target {
  return { origin: url.origin, host: url.host, basePath, region, credentials };
}
