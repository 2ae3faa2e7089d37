import { imageSample } from './oci-sample.ts';
import { serviceConformance } from './service.ts';

serviceConformance('oci', imageSample);
