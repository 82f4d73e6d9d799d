/** Bytes of objects that the OSD keeps at most, all of them in memory. */
const MOST_BYTES = 2 * 1024 ** 3;

/**
 * ceph.conf of a cluster of one monitor and one OSD on loopback. cephx stays on: without it radosgw never gets past
 * its first ticket. A monitor gathers changes of its maps for a second; every pool that radosgw makes costs some of those.
 */
export function cephConfiguration(
  folder: string,
  fsid: string,
  address: string,
  ports: { readonly monitor: number; readonly gateway: number },
): string {
  const settings = {
    fsid,
    'mon host': `[v2:${address}:${ports.monitor}]`,
    'public addr': address,
    'ms bind msgr1': false,
    'ms bind ipv6': false,
    keyring: `${folder}/keyring`,
    'mon data': `${folder}/mon`,
    'osd data': `${folder}/osd`,
    'run dir': folder,
    'admin socket': '',
    'log file': '/dev/null',
    'mon cluster log file': '/dev/null',
    'log to stderr': false,
    'err to stderr': false,
    'auth allow insecure global id reclaim': true,
    'paxos propose interval': 0.02,
    'paxos min wait': 0.01,
    'mon allow pool size one': true,
    'mon data avail crit': 0,
    'mon max pg per osd': 1000,
    'osd pool default size': 1,
    'osd pool default min size': 1,
    'osd pool default pg num': 1,
    'osd pool default pgp num': 1,
    'osd pool default pg autoscale mode': 'off',
    'osd crush chooseleaf type': 0,
    'osd objectstore': 'memstore',
    'memstore device bytes': MOST_BYTES,
    'rgw frontends': `beast endpoint=${address}:${ports.gateway}`,
    'rgw thread pool size': 64,
    'rgw override bucket index max shards': 1,
    'rgw dynamic resharding': false,
    'rgw run sync thread': false,
    'rgw enable lc threads': false,
    'rgw enable gc threads': false,
    'rgw enable quota threads': false,
    'rgw enable ops log': false,
    'rgw enable usage log': false,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  return `[global]\n${lines.join('\n')}\n`;
}
