import { ngcSample } from './ngc-sample.ts';
import { serviceConformance } from './service.ts';

serviceConformance('ngc', ngcSample);
