// Judges the cases on standard input with @cloud-copilot/iam-simulate, in a process of its own. See test_independent_judge.py.
import { readFileSync } from "node:fs";
import { runSimulation } from "@cloud-copilot/iam-simulate";

const named = (documents) => documents.map((policy, index) => ({ name: `policy-${index}`, policy }));

const judged = [];
for (const { call, policies } of JSON.parse(readFileSync(0, "utf8"))) {
  const answer = await runSimulation(
    {
      request: {
        principal: call.principal,
        action: call.action,
        resource: { resource: call.resource, accountId: call.resource_account },
        contextVariables: call.context,
      },
      identityPolicies: named(policies.identity),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(policies.resource && { resourcePolicy: policies.resource }),
      ...(policies.session && { sessionPolicy: policies.session }),
      ...(policies.boundary && { permissionBoundaryPolicies: named([policies.boundary]) }),
    },
    { simulationMode: "Strict" },
  );
  judged.push({
    result: answer.overallResult ?? null,
    errors: answer.errors ?? null,
    ignored: answer.result?.ignoredContextKeys ?? [],
  });
}
process.stdout.write(JSON.stringify(judged));
