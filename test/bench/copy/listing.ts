/**
 * Lists a prefix and gives every key its new name, and nothing else: what planning cannot do without. A process of its
 * own, so that it can be measured. Arguments: endpoint, bucket, prefix, match, replace. Prints `{"renamed": N}`.
 */
import { parseRules, rename } from '../../../workers/contract/rename.ts';
import { enableLinearExpressions } from '../../../workers/copy/linear.ts';
import { listPages } from '../../../workers/copy/list.ts';
import { S3Client } from '../../../workers/s3/client.ts';
import { fixedCredentials } from '../../../workers/s3/credentials.ts';

const [, , endpoint = '', bucket = '', prefix = '', match = '', replace = ''] = process.argv;
enableLinearExpressions();
const parsed = parseRules([{ match, replace }]);
if (!parsed.ok) throw new Error('the rule is no rule');
const client = new S3Client({
  endpoint,
  credentials: fixedCredentials({ accessKeyId: 'a', secretAccessKey: 's' }),
});
const facts = { key: '', size: 0, lastModified: '', hash: () => '' };
let renamed = 0;
for await (const page of listPages(client, { bucket, prefix }, new AbortController().signal)) {
  for (const { key, size, lastModified } of page) {
    facts.key = key.slice(prefix.length);
    facts.size = size;
    facts.lastModified = lastModified;
    if (rename(parsed.rules, facts)?.key !== undefined) renamed += 1;
  }
}
await client.close();
console.log(JSON.stringify({ renamed }));
