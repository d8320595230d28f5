/** Chance as a port: seeded in tests and in the simulator, the system's generator in production. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** A fresh identifier of 128 bits, as 32 lower-case hexadecimal digits. */
  id(): string;
}
