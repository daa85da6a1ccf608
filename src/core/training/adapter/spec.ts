export { adapterSpec, adapterTask, type AdapterSpec, type AdapterTask } from '../../../contracts/adapters.ts';
