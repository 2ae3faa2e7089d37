import { pypiSample } from './pypi-sample.ts';
import { serviceConformance } from './service.ts';

serviceConformance('pypi', pypiSample);
