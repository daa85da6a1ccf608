import assert from 'node:assert/strict';
import { LruMap } from '../../src/fabric/lru.ts';

describe('LruMap', () => {
  it('lets go of what was not used for longest, once, and says so', () => {
    const gone: string[] = [];
    const map = new LruMap<string, string>(3, (value) => gone.push(value));
    for (const key of ['a', 'b', 'c']) assert.deepEqual(map.set(key, key.toUpperCase()), []);
    assert.equal(map.get('a'), 'A');
    assert.deepEqual(map.set('d', 'D'), ['b']);
    assert.deepEqual(gone, ['B']);
    assert.equal(
      map.getOrMake('b', () => 'again'),
      'again',
    );
    map.delete('a');
    map.delete('a');
    map.set('d', 'new');
    assert.deepEqual(gone, ['B', 'C', 'A', 'D']);
  });

  it('never lets go of what was just set, however heavy', () => {
    const map = new LruMap<string, number>(10);
    map.set('light', 1, 4);
    assert.deepEqual(map.set('heavy', 2, 100), ['light']);
    assert.equal(map.get('heavy'), 2);
    assert.equal(map.has('light'), false);
  });
});
