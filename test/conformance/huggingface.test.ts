import { hubSample } from './huggingface-sample.ts';
import { serviceConformance } from './service.ts';

serviceConformance('huggingface', hubSample);
