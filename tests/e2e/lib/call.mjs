// The two sides of a call between pages/call.html, introduced to each other by the test.

import { until } from './until.mjs';

export const framesExpected = 30;

/// One side of the call: a page in a browser context of its own.
export class Side {
  constructor(name, page) {
    this.name = name;
    this.page = page;
  }

  do(action, argument) {
    return this.page.evaluate(([name, value]) => window.peer[name](value), [action, argument]);
  }

  /// Waits until the report of this side satisfies `isTrue`, and returns that report.
  async until(what, isTrue) {
    const report = () => this.do('report');
    const probe = async () => {
      const now = await report();
      return isTrue(now) && now;
    };
    return until(`${what} at the ${this.name}`, probe, { describe: report });
  }
}

/// Opens two pages, `openPage(name, {signal})` each, and carries the offer, the answer and the
/// candidates between them as they come. Returns the two sides once each is ready to call or be
/// called, with the RTCConfiguration that `configurationOf(name)` gives it.
export async function introduce({ openPage, configurationOf }) {
  const sides = [];
  await Promise.all(['caller', 'callee'].map(async (name, index) => {
    const signal = (message) => sides[1 - index].do('receive', message);
    const side = new Side(name, await openPage(name, { signal }));
    sides[index] = side;
    await side.do('prepare', configurationOf(name));
  }));
  return sides;
}

/// Media arrives and goes on arriving.
export async function assertMediaFlows(side) {
  const enough = ({ framesDecoded, audioBytes }) => framesDecoded >= framesExpected && audioBytes > 0;
  const first = await side.until(`${framesExpected} decoded frames and some audio`, enough);
  await side.until('more frames and more audio', (now) =>
    now.framesDecoded >= first.framesDecoded + framesExpected && now.audioBytes > first.audioBytes);
}
