// Builds the engines that tests need, ahead of them: `.ci/run` has it done beside other suites.
import { goProgram } from './go-programs.ts';
import { weedProgram } from './seaweedfs.ts';

await goProgram('versitygw');
await goProgram('minio');
await weedProgram();
