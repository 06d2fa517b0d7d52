/* Registers of every Cortex-M that tinyml uses, named as in Arm's Architecture Reference Manuals.
 *
 * tests/registers/arm.py has the facts that they are checked against, with their sections. */
#ifndef TM_ARM_H
#define TM_ARM_H

#include "tm_register.h"

#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_CSR_ENABLE (1u << 0)
#define SYST_CSR_TICKINT (1u << 1)
#define SYST_CSR_CLKSOURCE (1u << 2) /* the processor's clock */
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_RVR_RELOAD (0xFFFFFFu << 0)
#define SYST_CVR REGISTER(0xE000E018u)
#define SYST_CVR_CURRENT (0xFFFFFFu << 0)
#define SYST_BITS 24u

#define NVIC_ISER REGISTER(0xE000E100u) /* these three: the first 32 interrupts */
#define NVIC_ICER REGISTER(0xE000E180u)
#define NVIC_ICPR REGISTER(0xE000E280u)
#define ICSR REGISTER(0xE000ED04u)
#define ICSR_PENDSTSET (1u << 26)
#define VTOR REGISTER(0xE000ED08u)
#define CCR REGISTER(0xE000ED14u)
#define CCR_DC (1u << 16)
#define CCR_IC (1u << 17)
#define SHCSR REGISTER(0xE000ED24u)
#define SHCSR_MEMFAULTENA (1u << 16)
#define SHCSR_BUSFAULTENA (1u << 17)
#define SHCSR_USGFAULTENA (1u << 18)
#define CFSR REGISTER(0xE000ED28u)
#define CFSR_MSTKERR (1u << 4)
#define CFSR_STKERR (1u << 12)
#define CFSR_STKOF (1u << 20)
#define CPACR REGISTER(0xE000ED88u)
#define CPACR_CP10 (3u << 20) /* full access */
#define CPACR_CP11 (3u << 22)

#define CLIDR REGISTER(0xE000ED78u)
#define CLIDR_CTYPE1_INSTRUCTION (1u << 0)
#define CLIDR_CTYPE1_DATA (1u << 1)
#define CCSIDR REGISTER(0xE000ED80u)
#define CCSIDR_LINESIZE (7u << 0) /* log2 of its words, less 2 */
#define CCSIDR_ASSOCIATIVITY (0x3FFu << 3)
#define CCSIDR_NUMSETS (0x7FFFu << 13)
#define CSSELR REGISTER(0xE000ED84u)
#define CSSELR_LEVEL_1_DATA (0u << 1)
#define ICIALLU REGISTER(0xE000EF50u)
#define DCISW REGISTER(0xE000EF60u)

#define DEMCR REGISTER(0xE000EDFCu)
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL REGISTER(0xE0001000u)
#define DWT_CTRL_CYCCNTENA (1u << 0)
#define DWT_CYCCNT REGISTER(0xE0001004u)
#define DWT_LAR REGISTER(0xE0001FB0u)
#define DWT_LAR_KEY (0xC5ACCE55u << 0) /* Cortex-M7 locks its DWT */

#endif
