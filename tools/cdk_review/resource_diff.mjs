// Reads pairs of templates from standard input and writes, for each, what CloudFormation would replace.
// The knowledge is @aws-cdk/cloudformation-diff's, which `cdk diff` itself uses.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(process.argv[2]);
const { fullDiff } = require('@aws-cdk/cloudformation-diff');
const impacts = { WILL_REPLACE: 'will', MAY_REPLACE: 'may' };

const pairs = JSON.parse(readFileSync(0, 'utf8'));
const answer = pairs.map(([before, after]) => {
  const replaced = {};
  fullDiff(before, after).resources.forEachDifference((logicalId, change) => {
    const impact = impacts[change.changeImpact];
    if (impact === undefined) return;
    const properties = Object.entries(change.propertyUpdates)
      .filter(([, property]) => property.changeImpact === change.changeImpact)
      .map(([name]) => name);
    replaced[logicalId] = { impact, properties };
  });
  return replaced;
});
process.stdout.write(JSON.stringify(answer));
