import { describe, expect, test } from 'vitest';
import { RateController } from '../../workers/s3/aimd.ts';

/** A store that admits `capacity` requests per second and answers after `latency` milliseconds. */
interface Scenario {
  readonly capacity: number;
  readonly clients: number;
  readonly latency: number;
  /** Milliseconds between the clients' starts. */
  readonly stagger?: number;
  /** The store does not answer at all from the 15th to the 17th second. */
  readonly stalls?: boolean;
}

class Client {
  readonly controller = new RateController();
  readonly underWay: { at: number; readonly sentAt: number; readonly admitted: boolean }[] = [];
  tokens = 0;
  admitted = 0;
  refused = 0;
}

/** Runs a scenario millisecond by millisecond; what counts is from the tenth second to the fortieth. */
function simulate({ capacity, clients, latency, stagger = 0, stalls = false }: Scenario) {
  const all = Array.from({ length: clients }, () => new Client());
  const burst = Math.max(1, capacity / 10);
  let tokens = burst;
  for (let now = 0; now < 40_000; now += 1) {
    // While the store stalls, nothing is answered.
    const answered = stalls && now >= 15_000 && now < 17_000 ? 15_000 : now;
    tokens = Math.min(burst, tokens + capacity / 1000);
    // Whoever comes first would always find the tokens.
    for (let turn = 0; turn < clients; turn += 1) {
      const place = (turn + now) % clients;
      const client = all[place];
      if (client === undefined || now < place * stagger) continue;
      const { controller, underWay } = client;
      for (let first = underWay[0]; first !== undefined && first.at <= answered; first = underWay[0]) {
        underWay.shift();
        if (first.admitted) controller.succeed(now, first.sentAt, true);
        else controller.refuse(now, first.sentAt);
      }
      client.tokens = Math.min(1 + controller.rate * 0.05, client.tokens + controller.rate / 1000);
      while (client.tokens >= 1 && underWay.length < 256) {
        client.tokens -= 1;
        const admitted = tokens >= 1;
        if (admitted) tokens -= 1;
        underWay.push({ at: now + latency, sentAt: now, admitted });
        if (now < 10_000) continue;
        if (admitted) client.admitted += 1;
        else client.refused += 1;
      }
    }
  }
  const admitted = all.reduce((sum, client) => sum + client.admitted, 0);
  const refused = all.reduce((sum, client) => sum + client.refused, 0);
  return {
    used: admitted / (capacity * 30),
    refused: refused / (admitted + refused),
    least: (Math.min(...all.map((client) => client.admitted)) * clients) / admitted,
  };
}

describe('a store with a limit', () => {
  test.each<Scenario>([
    { capacity: 1000, clients: 1, latency: 1 },
    { capacity: 1000, clients: 1, latency: 50 },
    { capacity: 3500, clients: 1, latency: 50 },
    { capacity: 100, clients: 1, latency: 20 },
  ])('is used in full by one client: %j', (scenario) => {
    const { used, refused } = simulate(scenario);
    expect(used).toBeGreaterThan(0.95);
    expect(refused).toBeLessThan(0.01);
  });

  test.each<Scenario>([
    { capacity: 1000, clients: 4, latency: 1 },
    { capacity: 3500, clients: 4, latency: 50 },
    { capacity: 1000, clients: 4, latency: 1, stagger: 2000 },
    { capacity: 3500, clients: 40, latency: 50 },
    { capacity: 150, clients: 4, latency: 20 },
    { capacity: 300, clients: 4, latency: 500 },
  ])('is shared fairly by several: %j', (scenario) => {
    const { used, refused, least } = simulate(scenario);
    expect(used).toBeGreaterThan(0.95);
    expect(refused).toBeLessThan(0.02);
    expect(least).toBeGreaterThan(0.5);
  });

  test('that stalls for two seconds is not flooded afterwards', () => {
    const { used, refused } = simulate({ capacity: 1000, clients: 1, latency: 20, stalls: true });
    expect(refused).toBeLessThan(0.01);
    expect(used).toBeGreaterThan(0.85);
  });
});

describe('one controller', () => {
  function startAt(rate: number): RateController {
    const controller = new RateController();
    while (controller.rate < rate) controller.succeed(0, 0, true);
    return controller;
  }

  test('doubles from the start, until something is refused', () => {
    const controller = new RateController();
    const first = controller.rate;
    for (let n = 0; n < first / 10; n += 1) controller.succeed(0, 0, true);
    expect(controller.rate / first).toBeCloseTo(1.7, 1);
    controller.refuse(1_000, 900);
    const after = controller.rate;
    for (let n = 0; n < after / 10; n += 1) controller.succeed(1_100, 1_050, true);
    expect(controller.rate / after).toBeLessThan(1.02);
  });

  test('decreases once per congestion event, not once per refusal', () => {
    const controller = startAt(1000);
    expect(controller.refuse(1_000, 990)).toBe(true);
    const rate = controller.rate;
    expect(rate).toBeGreaterThan(890);
    // Was under way at the decrease; came right after it.
    expect(controller.refuse(5_000, 1_000)).toBe(false);
    expect(controller.refuse(1_100, 1_050)).toBe(false);
    expect(controller.rate).toBe(rate);
    expect(controller.refuse(1_300, 1_250)).toBe(true);
    expect(controller.rate).toBeCloseTo(rate * 0.9);
  });

  test('decreases to what is admitted where that is far less', () => {
    const controller = startAt(1000);
    controller.refuse(1_000, 990);
    const rate = controller.rate;
    for (let n = 0; n < 70; n += 1) controller.succeed(1_100, 1_050, false);
    for (let n = 0; n < 29; n += 1) controller.refuse(1_150, 1_050);
    controller.refuse(1_300, 1_060);
    expect(controller.rate / rate).toBeCloseTo(0.7);
    for (let n = 0; n < 100; n += 1) controller.refuse(1_400, 1_350);
    controller.refuse(1_600, 1_350);
    expect(controller.rate / rate).toBeCloseTo(0.35);
  });

  test('does not grow on what nobody waits for', () => {
    const controller = new RateController();
    const rate = controller.rate;
    for (let n = 0; n < 100; n += 1) controller.succeed(n, n - 1, false);
    expect(controller.rate).toBe(rate);
  });

  test('the longer nothing is refused, the faster it grows', () => {
    const controller = startAt(1000);
    controller.refuse(0, -1);
    const growths = [1_000, 10_000, 30_000].map((now) => {
      const before = controller.rate;
      controller.succeed(now, now - 1, true);
      return controller.rate - before;
    });
    expect(growths).toEqual(growths.toSorted((a, b) => a - b));
    expect((growths[2] ?? 0) / (growths[1] ?? 1)).toBeGreaterThan(2);
  });

  test('never comes to a standstill', () => {
    const controller = new RateController();
    for (let now = 0; now < 100_000; now += 250) controller.refuse(now, now - 1);
    expect(controller.rate).toBe(1);
    for (let second = 100; second < 400; second += 1) {
      for (let n = 0; n < controller.rate; n += 1) controller.succeed(second * 1000, second * 1000 - 1, true);
    }
    expect(controller.rate).toBeGreaterThan(100);
  });
});
