/**
 * What the tests of a `describe` share, since a cluster takes a second to start: set up once before them and taken down
 * after them, in reverse order, also when some fail. The nodes' logs are shown with a test that fails.
 */

import { after, afterEach, before, type TestContext } from "node:test";
import { assert } from "../../src/base/assert.ts";
import type { TestCluster } from "./cluster.ts";

/**
 * To be called within a `describe`. `setUp` hands what has to be taken down to the stack it is given. Returns how a
 * test gets at what was set up.
 */
export function setStage<T extends { readonly cluster: TestCluster }>(
  setUp: (stack: AsyncDisposableStack) => Promise<T>,
): () => T {
  let stage: T | undefined;
  const stack = new AsyncDisposableStack();
  before(async () => {
    stage = await setUp(stack);
  });
  afterEach((context) => {
    const test = context as TestContext;
    if (!test.passed) test.diagnostic(`the nodes printed:\n${stage?.cluster.log()}`);
  });
  after(async () => {
    await stack.disposeAsync();
  });
  return () => {
    assert(stage !== undefined, "a stage is used by the tests it was set for");
    return stage;
  };
}
