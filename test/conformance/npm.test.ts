import { npmSample } from './npm-sample.ts';
import { serviceConformance } from './service.ts';

serviceConformance('npm', npmSample);
