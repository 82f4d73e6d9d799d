import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { pipelineRunSpec } from '../../operator/api/pipelinerun.ts';
import { describeIntent } from '../demo/announce.ts';
import { sumSeen } from '../demo/facts.ts';
import { findForeground } from '../demo/interrupt.ts';
import { fitManifest, readExample } from '../demo/manifest.ts';
import { readOptions } from '../demo/options.ts';
import { type Facts, findProblems, makeReceipt, renderReceipt } from '../demo/receipt.ts';

const good: Facts = {
  run: { namespace: 'default', name: 'nightly', result: 'Succeeded' },
  stages: [{ name: 'arrange', state: 'Succeeded', seconds: 20 }],
  copy: { objects: 1797, renamed: 1797, bytes: 200_000, found: 1797, seeded: 1797 },
  train: { accuracy: 0.98, heldOut: 375, images: 1797 },
  nodes: { launched: 1, nodeSeconds: 60, recorded: { launched: 1, nodeSeconds: 61 } },
  left: { objects: 0, nodes: 0 },
  seconds: {
    applyToFirstWorkerLine: 9,
    lastExitToObjectsGone: 2,
    lastExitToNothingLeft: 22,
    setup: 30,
    run: 70,
    total: 101,
  },
  results: { uid: 'u', location: 's3://ebbflow-results/v1/demo/default/u/' },
  logs: { lines: 42, last: 'held-out accuracy 0.9800 on 375 images after 9.3 s' },
};

describe('the receipt', () => {
  test('of a run that held every promise has no problem', () => {
    expect(findProblems(good)).toEqual([]);
    expect(makeReceipt(good).succeeded).toBe(true);
  });

  test.each<[string, Partial<Facts>]>([
    ['ended as Failed', { run: { ...good.run, result: 'Failed' } }],
    ['did not end', { run: { ...good.run, result: undefined } }],
    ['1796 objects copied', { copy: { ...good.copy, objects: 1796 } }],
    ['0 renamed', { copy: { ...good.copy, renamed: 0 } }],
    ['lists 3 of the 1797', { copy: { ...good.copy, found: 3 } }],
    ['accuracy is 0.95', { train: { ...good.train, accuracy: 0.95 } }],
    ['accuracy is unknown', { train: { ...good.train, accuracy: undefined } }],
    ['no worker node', { nodes: { launched: 0, nodeSeconds: 0, recorded: { launched: 0, nodeSeconds: 0 } } }],
    ['1 objects of the run are left', { left: { objects: 1, nodes: 0 } }],
    ['an unknown number of objects', { left: { objects: undefined, nodes: 0 } }],
    ['2 worker nodes are left', { left: { objects: 0, nodes: 2 } }],
    ['no line of a worker', { seconds: { ...good.seconds, applyToFirstWorkerLine: undefined } }],
    ['last container', { seconds: { ...good.seconds, lastExitToNothingLeft: undefined } }],
    ['but with: nothing', { logs: { lines: undefined, last: undefined } }],
    ['but with: epoch 3/40', { logs: { lines: 3, last: 'epoch 3/40' } }],
    ['no UID', { results: { uid: undefined, location: undefined } }],
    ['no nodes.json', { nodes: { ...good.nodes, recorded: null } }],
    ['nodes.json says 2 nodes', { nodes: { ...good.nodes, recorded: { launched: 2, nodeSeconds: 60 } } }],
    ['and 80 s', { nodes: { ...good.nodes, recorded: { launched: 1, nodeSeconds: 80 } } }],
  ])('says it when %s', (words, change) => {
    const receipt = makeReceipt({ ...good, ...change });
    expect(receipt.succeeded).toBe(false);
    expect(receipt.problems.join()).toContain(words);
    expect(renderReceipt(receipt).join('\n')).toContain(`NOT AS PROMISED: ${receipt.problems[0]}`);
  });

  test('has every field that is promised to machines', () => {
    const { succeeded, copy, train, nodes, left, seconds, results } = makeReceipt(good);
    expect({ succeeded, objects: copy.objects, accuracy: train.accuracy, results: results.uid }).toEqual({
      succeeded: true,
      objects: 1797,
      accuracy: 0.98,
      results: 'u',
    });
    expect(nodes).toMatchObject({ launched: 1, nodeSeconds: 60 });
    expect(left).toEqual({ objects: 0, nodes: 0 });
    expect(seconds).toMatchObject({ applyToFirstWorkerLine: 9, lastExitToNothingLeft: 22, total: 101 });
  });
});

describe('around the run', () => {
  test('node-seconds count to the end of each node, or until now', () => {
    const node = { name: 'a', instanceType: 't', createdAt: 1000 };
    expect(sumSeen([{ ...node, goneAt: 31_000 }, node], 11_000)).toEqual({ launched: 2, nodeSeconds: 40 });
  });

  test('the example is a valid spec, also with the surroundings put in, and nothing else changes', async () => {
    const text = await readExample();
    const fitted = fitManifest(text, { endpoint: 'http://10.0.0.1:7070', region: 'r', trainImage: 'i:1' });
    const [before, after] = [parse(text), parse(fitted)];
    expect(pipelineRunSpec.safeParse(before.spec).error).toBeUndefined();
    expect(pipelineRunSpec.safeParse(after.spec).error).toBeUndefined();
    expect(after.spec.stores[0]).toMatchObject({ endpoint: 'http://10.0.0.1:7070', region: 'r' });
    expect(after.spec.stages[1].train.image).toBe('i:1');
    after.spec.stores[0].endpoint = before.spec.stores[0].endpoint;
    after.spec.stores[0].region = before.spec.stores[0].region;
    after.spec.stages[1].train.image = before.spec.stages[1].train.image;
    expect(after).toEqual(before);
  });

  test('a manifest without the expected places is refused', () => {
    expect(() => fitManifest('spec: {}', { endpoint: 'e', region: 'r', trainImage: 'i' })).toThrow(
      'has no spec.stores',
    );
  });

  test('an interruption ends descendants in the foreground, not daemons and not strangers', () => {
    const all = [
      { pid: 10, parent: 1, group: 10 },
      { pid: 11, parent: 10, group: 10 },
      { pid: 12, parent: 11, group: 10 },
      { pid: 13, parent: 10, group: 13 }, // a daemon in a group of its own
      { pid: 14, parent: 13, group: 13 },
      { pid: 20, parent: 1, group: 10 }, // in the group, but not ours
    ];
    expect(findForeground(all, { pid: 10, parent: 1, group: 10 })).toEqual([11, 12]);
  });

  test('what it says that it will do is what it will do', () => {
    const first = { names: ['etcd', 'kubernetes'], usualSeconds: 370 };
    const places = { packages: [], cache: '/c', state: '/s' };
    const anew = describeIntent({ keep: false, uncompiled: first, ...places }).join('\n');
    expect(anew).toContain('takes everything down again');
    expect(anew).toContain('compile etcd, kubernetes from Go modules, once (about 6 minutes on 2 cores)');
    const later = { names: [], usualSeconds: 0 };
    const kept = describeIntent({ keep: true, uncompiled: later, ...places }).join('\n');
    expect(kept).toContain('leaves all of it up, for 4 hours at most');
    expect(kept).not.toMatch(/takes everything down|minutes|at the end/);
  });

  test('options are read, and unknown ones refused', () => {
    expect(readOptions(['--yes', '--json', 'r.json'])).toMatchObject({
      yes: true,
      json: 'r.json',
      keep: false,
    });
    expect(() => readOptions(['--jsno', 'r.json'])).toThrow('--jsno');
  });
});
